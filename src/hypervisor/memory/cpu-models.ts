/**
 * Names of processor models, by architecture, in libvirt's order. An architecture that is not here takes any model.
 *
 * @source libvirt src/cpu_map/index.xml.
 */
const x86 = [
  "486",
  "pentium",
  "pentium2",
  "pentium3",
  "pentiumpro",
  "coreduo",
  "n270",
  "core2duo",
  "qemu32",
  "kvm32",
  "cpu64-rhel5",
  "cpu64-rhel6",
  "qemu64",
  "kvm64",
  "Conroe",
  "Penryn",
  "Nehalem",
  "Nehalem-IBRS",
  "Westmere",
  "Westmere-IBRS",
  "SandyBridge",
  "SandyBridge-IBRS",
  "IvyBridge",
  "IvyBridge-IBRS",
  "Haswell-noTSX",
  "Haswell-noTSX-IBRS",
  "Haswell",
  "Haswell-IBRS",
  "Broadwell-noTSX",
  "Broadwell-noTSX-IBRS",
  "Broadwell",
  "Broadwell-IBRS",
  "Skylake-Client",
  "Skylake-Client-IBRS",
  "Skylake-Client-noTSX-IBRS",
  "Skylake-Server",
  "Skylake-Server-IBRS",
  "Skylake-Server-noTSX-IBRS",
  "Cascadelake-Server",
  "Cascadelake-Server-noTSX",
  "Icelake-Client",
  "Icelake-Client-noTSX",
  "Icelake-Server",
  "Icelake-Server-noTSX",
  "Cooperlake",
  "Snowridge",
  "athlon",
  "phenom",
  "Opteron_G1",
  "Opteron_G2",
  "Opteron_G3",
  "Opteron_G4",
  "Opteron_G5",
  "EPYC",
  "EPYC-IBPB",
  "EPYC-Rome",
  "EPYC-Milan",
  "Dhyana",
];
const ppc64 = ["POWER6", "POWER7", "POWER8", "POWER9", "POWER10", "POWERPC_e5500", "POWERPC_e6500"];
const models = new Map<string, readonly string[]>([
  ["i686", x86],
  ["x86_64", x86],
  ["ppc64", ppc64],
  ["ppc64le", ppc64],
]);

/** Architectures that libvirt knows. @source virArch, libvirt src/util/virarch.c. */
const architectures = new Set(
  (
    "alpha armv6l armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 mips64el " +
    "openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb riscv32 riscv64 s390 s390x sh4 sh4eb sparc sparc64 " +
    "unicore32 x86_64 xtensa xtensaeb"
  ).split(" "),
);

/** Undefined for an architecture that there is not. */
export function cpuModels(architecture: string): readonly string[] | undefined {
  return architectures.has(architecture) ? (models.get(architecture) ?? []) : undefined;
}
