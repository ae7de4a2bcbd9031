/** Why our daemon's answer is not that of libvirt's test driver, where it is not. */

/** What libvirt's test driver refuses and ours does, with the lines that show what it did. */
const more: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "Our host has pages to count: the test driver tells of a failure without saying which.": {
    "the host": ["freepages --all", "freepages --cellno 0 --pagesize 4"],
  },
  "The test driver has no domain capabilities.": {
    "the host": ["domcapabilities", "domcapabilities --virttype test"],
  },
  "The test driver has the groups `state` and `iothread` alone.": {
    "the guest that is there": ["domstats test", "domstats --state --vcpu --balloon test", "domstats --list-running"],
  },
  "The test driver has no guest's view of processors.": {
    "the guest that is there": ["guestvcpus test"],
    "processors and memory": ["vcpucount web --guest"],
  },
  "The test driver has no jobs.": {
    "the guest that is there": ["domjobinfo test", "domjobabort test"],
  },
  "The test driver does not put guests to sleep.": {
    "a life": ["dompmsuspend test mem", "domstate test --reason (3)", "dompmwakeup test", "domstate test --reason (4)"],
  },
  "The test driver starts no guest paused, and has no graceful end.": {
    "a life": ["start other --paused", "domstate other --reason (3)", "destroy other --graceful"],
    "guests made and unmade": [
      "create @web.xml --paused",
      "list --all (3)",
      "domstate web --reason",
      "destroy web (3)",
      "create @web.xml --autodestroy",
    ],
  },
  "The test driver does not know `--nvram`.": {
    "guests made and unmade": ["undefine web --nvram"],
  },
  "The test driver does not change devices.": {
    devices: [
      "attach-device web @disk.xml --config",
      "attach-device web @disk.xml --live",
      "attach-device web @disk.xml",
      "domblklist web --inactive",
      "domblklist web --inactive (2)",
      "detach-device web @disk.xml --config",
      "attach-disk web /var/lib/third.img vdc --config",
      "detach-disk web vdc --config",
      "attach-interface web network default --mac 52:54:00:00:00:03 --config",
      "domiflist web --inactive",
      "detach-interface web network --mac 52:54:00:00:00:03 --config",
      "detach-device-alias web ua-nosuch",
      "update-device web @nic.xml --config",
      "change-media web hdc /var/lib/cd.iso --config",
      "domif-setlink web web0 down",
      "domblkinfo web --all",
    ],
    "wrong lines": ["attach-device test @bad.xml"],
  },
  "The test driver starts a guest without its managed save, and does not show that.": {
    saving: ["managedsave-dumpxml web", "domstate web --reason (2)"],
  },
  "The test driver has one format of dumps.": {
    saving: ["dump web @dir/web.core --memory-only"],
  },
  "The test driver has no leases.": {
    networks: ["net-dhcp-leases default"],
  },
  "The test driver has no network ports.": {
    networks: [
      "net-port-create lan @port.xml",
      "net-port-list lan",
      "net-port-list lan (2)",
      "net-port-dumpxml lan 10770000-1111-4222-8333-000000000003",
      "net-port-delete lan 10770000-1111-4222-8333-000000000003",
    ],
  },
  "The test driver does not tell an interface's inactive XML, which bridging begins with.": {
    interfaces: ["iface-bridge eth1 br1", "iface-list", "iface-unbridge br1", "iface-list (2)"],
  },
  "The test driver's volumes have no bytes.": {
    storage: [
      "vol-resize disk.img 16M --pool images",
      "vol-wipe disk.img --pool images",
      "vol-upload disk.img @web.xml --pool images",
      "vol-download disk.img @dir/down.img --pool images",
    ],
  },
  "The test driver of 9.0.0 does not know the flag that this virsh lists active devices with.": {
    "node devices": [
      "nodedev-list",
      "nodedev-list (2)",
      "nodedev-list --tree",
      "nodedev-list --cap scsi_host",
      "nodedev-list --cap system",
    ],
  },
  "The test driver has no secrets.": {
    "read-only": ["-r secret-list"],
    "what the test driver has not": [
      "secret-list",
      "secret-define @secret.xml",
      "secret-set-value 10770000-1111-4222-8333-000000000005 --file @web.xml",
      "secret-get-value 10770000-1111-4222-8333-000000000005",
      "secret-dumpxml 10770000-1111-4222-8333-000000000005",
      "secret-undefine 10770000-1111-4222-8333-000000000005",
    ],
  },
  "The test driver has no network filters.": {
    "what the test driver has not": [
      "nwfilter-list",
      "nwfilter-binding-list",
      "nwfilter-define @filter.xml",
      "nwfilter-dumpxml quiet",
      "nwfilter-undefine quiet",
    ],
  },
  "The test driver has no migration.": {
    "what the test driver has not": [
      "migrate-getmaxdowntime test",
      "migrate-setmaxdowntime test 100",
      "migrate-getspeed test",
      "migrate-setspeed test 10",
    ],
  },
};

/** What both do, each in its way. */
const otherwise: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "Another host, reached by another socket.": {
    "the host": ["uri", "hostname"],
  },
  "Ours has block statistics by name, the call that virsh tries first; it prints one line less when that fails.": {
    "the guest that is there": ["domblkstat test nosuch"],
  },
  "What is wrong with XML is said in the words of another parser.": {
    "guests made and unmade": ["define @bad.xml"],
    "wrong lines": [
      "net-define @bad.xml",
      "pool-define @bad.xml",
      "vol-create default-pool @bad.xml",
      "iface-define @bad.xml",
      "snapshot-create test @bad.xml",
    ],
  },
  "Ours takes a guest without `<os>` for one of type hvm, and looks for its memory first.": {
    "guests made and unmade": ["define @wrong.xml"],
  },
  "Ours keeps a definition as it was given and adds what it needs; libvirt adds all its defaults, addresses and controllers.":
    {
      "guests made and unmade": ["dumpxml web"],
      saving: ["save-image-dumpxml @dir/web.save"],
    },
  "The test driver's guests use processor time while they are shut off.": {
    "guests made and unmade": ["dominfo web"],
    saving: ["dominfo web"],
  },
  "Ours refuses to start a transient guest with the host, as libvirt's real drivers do.": {
    "guests made and unmade": ["autostart web"],
  },
  "The test driver's roll-back forgets which interfaces were active.": {
    interfaces: ["iface-list --all (3)"],
  },
  "The test driver claims to take file descriptors, then does not; ours does not claim it.": {
    "what the test driver has not": ["dom-fd-associate test --name x --pass-fds 0"],
  },
};

/** By what `keysOf` calls a line. */
export const differences: ReadonlyMap<string, string> = new Map(
  [more, otherwise].flatMap((kind) =>
    Object.entries(kind).flatMap(([why, byScene]) =>
      Object.entries(byScene).flatMap(([scene, lines]) => lines.map((line) => [`${scene}: ${line}`, why] as const)),
    ),
  ),
);
