/** The messages that are measured: real types, made-up but plausible values, the same on every run. */
import * as netmessage from "virtwire/protocol/netmessage";
import * as remote from "virtwire/protocol/remote";
import type { Codec } from "virtwire/xdr";
import { Random } from "../harness/random.ts";
import type { Plain, Shape, Struct, Union } from "./shape.ts";

export interface Message {
  readonly name: string;
  /** For people: what it is and how much. */
  readonly title: string;
  /** In the `.x` file, and so in C. */
  readonly type: string;
  readonly shape: Struct;
  readonly value: Plain;
  readonly codec: Codec<Plain>;
}

// ---- types ----

const int: Shape = { kind: "int" };
const uint: Shape = { kind: "uint" };
const string: Shape = { kind: "string", max: remote.REMOTE_STRING_MAX };
const optionalString: Shape = { kind: "optional", item: string };
const uuid: Shape = { kind: "fixedOpaque", length: remote.VIR_UUID_BUFLEN };

function struct(name: string, fields: Readonly<Record<string, Shape>>): Struct {
  return { kind: "struct", name, fields };
}

function array(item: Shape, max: number): Shape {
  return { kind: "array", max, item };
}

const domain = struct("Domain", { name: string, uuid, id: int });
const network = struct("Network", { name: string, uuid });
const typedValue: Union = {
  kind: "union",
  name: "TypedParamValue",
  arms: [
    [remote.VIR_TYPED_PARAM_INT, "i", int],
    [remote.VIR_TYPED_PARAM_UINT, "ui", uint],
    [remote.VIR_TYPED_PARAM_LLONG, "l", { kind: "hyper" }],
    [remote.VIR_TYPED_PARAM_ULLONG, "ul", { kind: "uhyper" }],
    [remote.VIR_TYPED_PARAM_DOUBLE, "d", { kind: "double" }],
    [remote.VIR_TYPED_PARAM_BOOLEAN, "b", int],
    [remote.VIR_TYPED_PARAM_STRING, "s", string],
  ],
};
const typedParam = struct("TypedParam", { field: string, value: typedValue });

// ---- values ----

const random = new Random(20_260_101);

function guest(i: number, running = true): { name: string; uuid: Uint8Array; id: number } {
  return { name: `guest-${String(i).padStart(5, "0")}`, uuid: random.bytes(16), id: running ? i + 1 : -1 };
}

/** Names that `virConnectGetAllDomainStats` gives: 48 counters, 6 small numbers, 6 texts. */
const counters = [
  ...["cpu.time", "cpu.user", "cpu.system", "balloon.current", "balloon.maximum", "balloon.rss", "balloon.usable"],
  ...["vcpu.0.time", "vcpu.0.wait", "vcpu.0.delay", "vcpu.1.time", "vcpu.1.wait", "vcpu.1.delay", "vcpu.0.exits.sum"],
  ...["rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop"].map(
    (n) => `net.0.${n}`,
  ),
  ...[
    "rd.reqs",
    "rd.bytes",
    "rd.times",
    "wr.reqs",
    "wr.bytes",
    "wr.times",
    "fl.reqs",
    "fl.times",
    "allocation",
  ].flatMap((n) => [`block.0.${n}`, `block.1.${n}`]),
  ...["block.0.capacity", "block.0.physical", "block.1.capacity", "block.1.physical", "dirtyrate.calc_start_time"],
  ...["perf.cache_misses", "perf.cpu_cycles", "perf.instructions"],
];
const numbers = ["state.state", "state.reason", "vcpu.current", "vcpu.maximum", "net.count", "block.count"];
/** Names and the length of the text: together they make the reply 212,804 bytes long. */
const texts: readonly (readonly [string, number])[] = [
  ["net.0.name", 5],
  ["block.0.name", 3],
  ["block.0.path", 0],
  ["block.1.name", 3],
  ["block.1.path", 0],
  ["vm.machine", 11],
];

function pick(length: number): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789-/._";
  return Array.from({ length }, () => letters[random.below(letters.length)]).join("");
}

const STATS_BYTES = 212_804;
const DOMAINS = 100;

function stats(): Plain {
  const padded = (length: number) => length + (-length & 3);
  const fixed =
    4 +
    padded(guest(0).name.length) +
    16 +
    4 +
    4 + // the domain, and how many parameters
    [...counters, ...numbers, ...texts.map(([name]) => name)].reduce((sum, name) => sum + 8 + padded(name.length), 0) +
    counters.length * 8 +
    numbers.length * 4 +
    texts.reduce((sum, [, length]) => sum + 4 + padded(length), 0);
  // The two paths take what is left of a record.
  const left = (STATS_BYTES - 4) / DOMAINS - fixed;
  const path = Math.floor(left / 8) * 4;
  const lengths = new Map(texts);
  lengths.set("block.0.path", path).set("block.1.path", left - path);
  return {
    retStats: Array.from({ length: DOMAINS }, (_, i) => ({
      dom: guest(i),
      params: [
        ...counters.map((field) => ({
          field,
          value: { type: remote.VIR_TYPED_PARAM_ULLONG, value: random.counter(48) },
        })),
        ...numbers.map((field) => ({ field, value: { type: remote.VIR_TYPED_PARAM_INT, value: random.below(16) } })),
        ...[...lengths].map(([field, length]) => ({
          field,
          value: { type: remote.VIR_TYPED_PARAM_STRING, value: pick(length) },
        })),
      ],
    })),
  };
}

/** The XML of a domain with as many disks as fit, `size` bytes of it. */
function domainXml(size: number): string {
  let xml =
    "<domain type='kvm' id='7'>\n  <name>guest-00007</name>\n  <memory unit='KiB'>4194304</memory>\n  <devices>\n";
  const end = "  </devices>\n</domain>\n";
  for (let i = 0; ; i++) {
    const disk =
      "    <disk type='file' device='disk'>\n      <driver name='qemu' type='qcow2' cache='none'/>\n" +
      `      <source file='/var/lib/libvirt/images/${pick(16)}.qcow2' index='${i}'/>\n` +
      `      <target dev='vd${i}' bus='virtio'/>\n      <alias name='virtio-disk${i}'/>\n    </disk>\n`;
    if (xml.length + disk.length + end.length > size) break;
    xml += disk;
  }
  return `${xml}${" ".repeat(size - xml.length - end.length)}${end}`;
}

function everyKind(): Plain {
  const values: [number, () => Plain][] = [
    [remote.VIR_TYPED_PARAM_INT, () => random.below(2 ** 32) - 2 ** 31],
    [remote.VIR_TYPED_PARAM_UINT, () => random.below(2 ** 32)],
    [remote.VIR_TYPED_PARAM_LLONG, () => -random.counter(62)],
    [remote.VIR_TYPED_PARAM_ULLONG, () => random.counter(64)],
    [remote.VIR_TYPED_PARAM_DOUBLE, () => random.next() * 1e6],
    [remote.VIR_TYPED_PARAM_BOOLEAN, () => random.below(2)],
    [remote.VIR_TYPED_PARAM_STRING, () => pick(4 + random.below(20))],
  ];
  const fields = ["time_elapsed", "data_total", "memory_bps", "disk_processed", "compression_ratio", "auto_converge"];
  return {
    type: 2,
    params: Array.from({ length: 28 }, (_, i) => {
      const [type, make] = values[i % values.length] as (typeof values)[number];
      return { field: `${fields[i % fields.length]}.${i}`, value: { type, value: make() } };
    }),
  };
}

// ---- messages ----

/** The codec of one type, for values whose type the shape gives. */
function codec<T>(encode: Codec<T>["encode"], decode: Codec<T>["decode"]): Codec<Plain> {
  return { encode, decode } as unknown as Codec<Plain>;
}

export function makeMessages(): Message[] {
  return [
    {
      name: "stats",
      title: "all domain stats: 100 domains × 60 typed parameters",
      type: "remote_connect_get_all_domain_stats_ret",
      shape: struct("StatsRet", {
        retStats: array(
          struct("StatsRecord", {
            dom: domain,
            params: array(typedParam, remote.REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX),
          }),
          remote.REMOTE_DOMAIN_LIST_MAX,
        ),
      }),
      value: stats(),
      codec: codec(remote.encodeConnectGetAllDomainStatsRet, remote.decodeConnectGetAllDomainStatsRet),
    },
    {
      name: "call3",
      title: "a call with three fields: domain, number, flags",
      type: "remote_domain_set_vcpus_flags_args",
      shape: struct("SetVcpusFlagsArgs", { dom: domain, nvcpus: uint, flags: uint }),
      value: { dom: guest(7), nvcpus: 4, flags: 3 },
      codec: codec(remote.encodeDomainSetVcpusFlagsArgs, remote.decodeDomainSetVcpusFlagsArgs),
    },
    {
      // The begin3 arguments themselves carry no cookie; it comes with the return value and goes into prepare3.
      name: "begin3",
      title: "migration begin3's result: 16 KiB cookie, 8 KiB XML",
      type: "remote_domain_migrate_begin3_ret",
      shape: struct("MigrateBegin3Ret", {
        cookieOut: { kind: "opaque", max: remote.REMOTE_MIGRATE_COOKIE_MAX },
        xml: string,
      }),
      value: { cookieOut: random.bytes(16 * 1024), xml: domainXml(8 * 1024) },
      codec: codec(remote.encodeDomainMigrateBegin3Ret, remote.decodeDomainMigrateBegin3Ret),
    },
    {
      name: "xml1m",
      title: "domain XML of 1 MiB",
      type: "remote_domain_get_xml_desc_ret",
      shape: struct("GetXmlDescRet", { xml: string }),
      value: { xml: domainXml(2 ** 20) },
      codec: codec(remote.encodeDomainGetXmlDescRet, remote.decodeDomainGetXmlDescRet),
    },
    {
      name: "list10k",
      title: "list of 10,000 domains",
      type: "remote_connect_list_all_domains_ret",
      shape: struct("ListAllDomainsRet", { domains: array(domain, remote.REMOTE_DOMAIN_LIST_MAX), ret: uint }),
      value: { domains: Array.from({ length: 10_000 }, (_, i) => guest(i, i % 3 !== 0)), ret: 10_000 },
      codec: codec(remote.encodeConnectListAllDomainsRet, remote.decodeConnectListAllDomainsRet),
    },
    {
      name: "typed",
      title: "job stats: 28 typed parameters, four of every kind",
      type: "remote_domain_get_job_stats_ret",
      shape: struct("JobStatsRet", { type: int, params: array(typedParam, remote.REMOTE_DOMAIN_JOB_STATS_MAX) }),
      value: everyKind(),
      codec: codec(remote.encodeDomainGetJobStatsRet, remote.decodeDomainGetJobStatsRet),
    },
    {
      name: "error",
      title: "error reply: domain not found",
      type: "virNetMessageError",
      shape: struct("NetError", {
        code: int,
        domain: int,
        message: optionalString,
        level: int,
        dom: { kind: "optional", item: domain },
        str1: optionalString,
        str2: optionalString,
        str3: optionalString,
        int1: int,
        int2: int,
        net: { kind: "optional", item: network },
      }),
      value: {
        code: 42,
        domain: 10,
        message: "Domain not found: no domain with matching name 'guest-00042'",
        level: 2,
        dom: null,
        str1: "Domain not found: %1$s",
        str2: "no domain with matching name 'guest-00042'",
        str3: null,
        int1: -1,
        int2: -1,
        net: null,
      },
      codec: codec(netmessage.encodeVirNetMessageError, netmessage.decodeVirNetMessageError),
    },
    {
      name: "event",
      title: "lifecycle event of one domain",
      type: "remote_domain_event_callback_lifecycle_msg",
      shape: struct("LifecycleMsg", {
        callbackID: int,
        msg: struct("Lifecycle", { dom: domain, event: int, detail: int }),
      }),
      value: { callbackID: 3, msg: { dom: guest(42), event: 2, detail: 1 } },
      codec: codec(remote.encodeDomainEventCallbackLifecycleMsg, remote.decodeDomainEventCallbackLifecycleMsg),
    },
  ];
}
