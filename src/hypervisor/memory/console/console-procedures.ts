import {
  VirDomainChannelFlags as Channel,
  VirDomainConsoleFlags as Console,
  VirErrorNumber,
} from "../../../generated/libvirt/index.ts";
import type { CallContext } from "../../../server/index.ts";
import type { DriverHandlers } from "../../hypervisor.ts";
import type { Domain } from "../domain.ts";
import { checkFlags, driverError, operationFailed } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { type CharacterDevice, characterDevices } from "./character-devices.ts";
import { takeDevice } from "./device-clients.ts";
import { echo } from "./echo.ts";

const { VIR_DOMAIN_CONSOLE_FORCE: FORCE_CONSOLE, VIR_DOMAIN_CONSOLE_SAFE: SAFE } = Console;
const { VIR_DOMAIN_CHANNEL_FORCE: FORCE_CHANNEL } = Channel;

/**
 * Consoles and channels of guests, which say what they hear.
 *
 * @source qemuDomainOpenConsole and qemuDomainOpenChannel, libvirt src/qemu/qemu_driver.c; libvirt's test driver has
 *   none.
 */
export function consoleProcedures(host: Host) {
  const { domains } = host;
  return {
    domainOpenConsole({ dom, devName, flags }, context) {
      checkFlags(flags, SAFE | FORCE_CONSOLE, "virDomainOpenConsole"); // one client at a time is always safe
      const domain = domains.find(dom);
      const { definition } = domain.active;
      const device =
        devName === null
          ? characterDevices(definition, ["console", "serial"])[0]
          : characterDevices(definition, ["console", "serial", "parallel"]).find(({ alias }) => alias === devName);
      if (device === undefined) throw internalError(`cannot find character device ${devName ?? "<null>"}`);
      if (device.type !== "pty") throw internalError(`character device ${device.alias} is not using a PTY`);
      const busy = "Active console session exists for this domain";
      talk(domain, device, (flags & FORCE_CONSOLE) !== 0, busy, context);
    },
    domainOpenChannel({ dom, name, flags }, context) {
      checkFlags(flags, FORCE_CHANNEL, "virDomainOpenChannel");
      const domain = domains.find(dom);
      const channels = characterDevices(domain.active.definition, ["channel"]);
      const device =
        name === null ? channels[0] : channels.find((each) => each.alias === name || each.targetName === name);
      if (device === undefined) throw internalError(`cannot find channel ${name ?? "<null>"}`);
      if (device.type !== "unix") throw internalError(`channel ${device.alias} is not using a UNIX socket`);
      const busy = "Active channel stream exists for this domain";
      talk(domain, device, (flags & FORCE_CHANNEL) !== 0, busy, context);
    },
  } satisfies DriverHandlers;
}

const internalError = (detail: string) => driverError(VirErrorNumber.VIR_ERR_INTERNAL_ERROR, detail);

function talk(domain: Domain, { alias }: CharacterDevice, force: boolean, busy: string, context: CallContext): void {
  const client = takeDevice(domain.active, alias, force);
  if (client === undefined) throw operationFailed(busy);
  const stopListening = context.session.onClose(() => client.release()); // before the stream began, too
  const end = () => {
    stopListening();
    client.release();
  };
  try {
    context.stream((stream) => echo(stream, client.ended).finally(end));
  } catch (error) {
    end();
    throw error;
  }
}
