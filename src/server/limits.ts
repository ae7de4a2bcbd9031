/** How much a server takes on at once. All can change while it runs. */
export interface ServerLimits {
  /**
   * Connections served at once; further ones are accepted and find silence until one ends, as at libvirtd.
   * Default 5000.
   */
  readonly maxClients?: number;
  /**
   * Connections served at once that have yet to log in, where their listener wants that. With so many further ones
   * wait like those above `maxClients`. 0: as many as there may be clients. Default 20.
   */
  readonly maxAnonymousClients?: number;
  /** Connections that may wait so, libvirt's max_queued_clients; further ones are closed. Default 1000. */
  readonly maxQueuedClients?: number;
  /** Calls in progress per connection; with so many it is not read. Default 5. */
  readonly maxClientRequests?: number;
  /** Handlers in progress at once, of all clients; further calls wait in order. Default 20. */
  readonly maxWorkers?: number;
  /** At least so many workers are said to exist. Nothing is kept for them: in Node a worker is no thread. Default 5. */
  readonly minWorkers?: number;
  /** Further handlers, which only procedures of high priority get when all workers are busy. Default 5. */
  readonly priorityWorkers?: number;
  /**
   * Milliseconds after which a handler that has not answered keeps its worker no longer, so that those which never do
   * cannot take all there are. 0: it keeps it. Default 30000.
   */
  readonly maxWorkerTime?: number;
  /** The longest message taken, in bytes. Default 33554436. For connections that come later. */
  readonly maxFrame?: number;
  /**
   * Bytes of events that may wait for a client that does not read, before it is dropped. Default 16 MiB. For
   * connections that come later.
   */
  readonly maxQueuedEvents?: number;
  /**
   * Streams of a connection at once, those that the client never finishes included; a call that would open one more
   * is refused. Default 256. For connections that come later.
   */
  readonly maxStreams?: number;
  /**
   * Bytes received for a stream that its handler has not taken; all streams of a connection may have four times as
   * much. Above that the connection is not read. Default 4 MiB. For connections that come later.
   */
  readonly receiveWindow?: number;
}

/** libvirtd's, from libvirtd.conf; the last four are the protocol's and ours. */
const DEFAULTS: Required<ServerLimits> = {
  maxClients: 5000,
  maxAnonymousClients: 20,
  maxQueuedClients: 1000,
  maxClientRequests: 5,
  maxWorkers: 20,
  minWorkers: 5,
  priorityWorkers: 5,
  maxWorkerTime: 30_000,
  maxFrame: 33_554_436,
  maxQueuedEvents: 16 * 1024 * 1024,
  maxStreams: 256,
  receiveWindow: 4 * 1024 * 1024,
};

/** The least that each may be. */
const LEAST: Readonly<Record<keyof ServerLimits, number>> = {
  maxClients: 1,
  maxAnonymousClients: 0,
  maxQueuedClients: 0,
  maxClientRequests: 1,
  maxWorkers: 1,
  minWorkers: 0,
  priorityWorkers: 0,
  maxWorkerTime: 0,
  maxFrame: 28,
  maxQueuedEvents: 1,
  maxStreams: 0,
  receiveWindow: 1,
};

/**
 * The limits with what changes; what is left out stays as it is in `before`. Where `maxClients` is set below the
 * default of `maxAnonymousClients` alone, that follows.
 * @throws {TypeError} for a number out of range, or two that contradict each other
 */
export function mergeLimits(changes: ServerLimits, before?: Required<ServerLimits>): Required<ServerLimits> {
  const limits = { ...(before ?? DEFAULTS) };
  for (const [key, value] of Object.entries(changes) as [keyof ServerLimits, number | undefined][]) {
    if (value === undefined) continue;
    const least = LEAST[key];
    if (least === undefined) throw new TypeError(`there is no limit ${key}`);
    if (!Number.isInteger(value) || value < least) throw new TypeError(`${key} ${value}: ${least} or more wanted`);
    limits[key] = value;
  }
  if (before === undefined) {
    if (changes.maxAnonymousClients === undefined) {
      limits.maxAnonymousClients = Math.min(limits.maxAnonymousClients, limits.maxClients);
    }
    if (changes.minWorkers === undefined) limits.minWorkers = Math.min(limits.minWorkers, limits.maxWorkers);
  }
  if (limits.maxAnonymousClients > limits.maxClients) {
    throw new TypeError(`maxAnonymousClients ${limits.maxAnonymousClients}: more than maxClients ${limits.maxClients}`);
  }
  if (limits.minWorkers > limits.maxWorkers) {
    throw new TypeError(`minWorkers ${limits.minWorkers}: more than maxWorkers ${limits.maxWorkers}`);
  }
  return limits;
}
