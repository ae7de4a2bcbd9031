import {
  VirDomainInterfaceAddressesSource,
  VirDomainProcessSignal,
  VirDomainSetTimeFlags,
  VirDomainSetUserPasswordFlags,
  VirErrorNumber,
  VirIPAddrType,
  VirKeycodeSet,
} from "../../../generated/libvirt/index.ts";
import { REMOTE_DOMAIN_DISK_ERRORS_MAX, REMOTE_DOMAIN_INTERFACE_MAX } from "../../../generated/remote/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags, driverError, invalidArgument, rpcError } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { guestAddress } from "./guest-address.ts";

const NO_FLAGS = 0;
/** Kinds of errors that a disk can have, beside none. */
const DISK_ERRORS = 2;
/** One more than the highest code of a key, in each set of them. */
const KEYCODES = 0x300;
const SIGNALS = Object.keys(VirDomainProcessSignal).length;

/** What the system inside of a guest says and does: as the test driver answers for it. */
export function guestAgentProcedures(host: Host) {
  const { domains, events } = host;
  return {
    domainGetHostname({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetHostname");
      const domain = domains.find(dom);
      domain.active;
      return { hostname: `${domain.name}host` };
    },
    domainGetTime({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetTime");
      const { system } = domains.find(dom).active;
      return { seconds: system.seconds, nseconds: system.nanoseconds };
    },
    domainSetTime({ dom, seconds, nseconds, flags }) {
      checkFlags(flags, VirDomainSetTimeFlags.VIR_DOMAIN_TIME_SYNC, "virDomainSetTime");
      const domain = domains.find(dom);
      const { system } = domain.active;
      const offset = seconds - system.seconds;
      system.seconds = seconds;
      system.nanoseconds = nseconds;
      events.rtcChange(domain.reference, BigInt.asIntN(64, offset));
    },
    domainSetUserPassword({ dom, flags }) {
      checkFlags(flags, VirDomainSetUserPasswordFlags.VIR_DOMAIN_PASSWORD_ENCRYPTED, "virDomainSetUserPassword");
      domains.find(dom).active;
    },
    domainFsfreeze({ dom, mountpoints, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainFSFreeze");
      return { filesystems: domains.find(dom).active.system.freeze(mountpoints, true) };
    },
    domainFsthaw({ dom, mountpoints, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainFSThaw");
      return { filesystems: domains.find(dom).active.system.freeze(mountpoints, false) };
    },
    domainFstrim({ dom, mountPoint, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainFSTrim");
      const { system } = domains.find(dom).active;
      if (mountPoint !== null) system.check(mountPoint);
    },
    domainGetFsinfo({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetFSInfo");
      const { definition, system } = domains.find(dom).active;
      const disk = definition.disks.find(({ device }) => device === "disk");
      if (disk === undefined) return { info: [], ret: 0 };
      const info = system.mountPoints.map((mountpoint, at) => ({
        mountpoint,
        name: `${disk.target}${at + 1}`,
        fstype: "ext4",
        devAliases: [disk.target],
      }));
      return { info, ret: info.length };
    },
    domainGetDiskErrors({ dom, maxerrors, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainGetDiskErrors");
      if (maxerrors > REMOTE_DOMAIN_DISK_ERRORS_MAX) throw rpcError("maxerrors too large");
      const { disks } = domains.find(dom).active.definition;
      if (maxerrors === 0) return { errors: [], nerrors: disks.length };
      const errors = disks
        .slice(0, maxerrors)
        .map(({ target }, at) => ({ disk: target, error: (at % DISK_ERRORS) + 1 }));
      return { errors, nerrors: errors.length };
    },
    domainInterfaceAddresses({ dom, source, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainInterfaceAddresses");
      if (source > VirDomainInterfaceAddressesSource.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP) {
        const detail = `Unknown IP address data source ${source}`;
        throw driverError(VirErrorNumber.VIR_ERR_ARGUMENT_UNSUPPORTED, detail);
      }
      const guest = domains.find(dom).active;
      const type = VirIPAddrType.VIR_IP_ADDR_TYPE_IPV4;
      const ifaces = guest.definition.interfaces.slice(0, REMOTE_DOMAIN_INTERFACE_MAX).map((each, at) => {
        const offset = BigInt(20 * (guest.id - 1) + at + 1);
        const leased = each.network === undefined ? undefined : guestAddress(host.networks.list, each.network, offset);
        const addr = leased ?? { type, addr: `192.168.0.${1 + at}`, prefix: 24 };
        return { name: each.name, hwaddr: each.mac, addrs: [addr] };
      });
      return { ifaces };
    },
    domainInjectNmi({ dom, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainInjectNMI");
      domains.find(dom).active;
    },
    domainSendKey({ dom, codeset, keycodes, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSendKey");
      if (codeset >= Object.keys(VirKeycodeSet).length) throw invalidArgument(`Unsupported codeset ${codeset}`);
      domains.find(dom).active;
      const invalid = keycodes.find((code) => code === 0 || code >= KEYCODES);
      if (invalid !== undefined) {
        const name = codesets[codeset] ?? "";
        throw driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, `invalid keycode ${invalid} of ${name} codeset`);
      }
    },
    domainSendProcessSignal({ dom, pidValue, signum, flags }) {
      checkFlags(flags, NO_FLAGS, "virDomainSendProcessSignal");
      if (pidValue !== 1n) throw invalidArgument("only sending a signal to pid 1 is supported");
      if (signum >= SIGNALS) throw invalidArgument(`signum value ${signum} is out of range`);
      domains.find(dom);
    },
  } satisfies DriverHandlers;
}

/** libvirt's names of the sets of key codes, by number. */
const codesets = ["linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum"];
