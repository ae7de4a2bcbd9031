// What needs node:net. Loaded through `sockets()` of index.ts only.
export { acceptedTcp, dialTcp, tcpAddress } from "./tcp.ts";
export { acceptedUnix, dialUnix } from "./unix.ts";
