export type { Clock } from "./clock.ts";
export type { Receiving, Sending } from "./ending.ts";
export { type PipeFromFileOptions, pipeFromFile } from "./from-file.ts";
export { type ShapeOptions, toDuplex, toReadable, toWritable } from "./node-streams.ts";
export type { Progress, Transferred } from "./progress.ts";
export { RateLimit, type RateLimitOptions } from "./rate-limit.ts";
export { type PipeToFileOptions, pipeToFile } from "./to-file.ts";
export { toReadableStream, toWritableStream } from "./web-streams.ts";
