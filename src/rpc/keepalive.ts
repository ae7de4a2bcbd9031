import { ping, pong, program } from "../generated/keepalive/index.ts";
import { VirNetMessageStatus, VirNetMessageType } from "../generated/netmessage/index.ts";
import { TransportError } from "../transport/index.ts";
import { type Header, MIN_FRAME, writeHeader } from "./header.ts";
import { startTimer } from "./timer.ts";

function message(proc: number): Uint8Array {
  const frame = new Uint8Array(MIN_FRAME);
  const { VIR_NET_MESSAGE: type } = VirNetMessageType;
  writeHeader(frame, {
    prog: program.number,
    vers: program.version,
    proc,
    type,
    serial: 0,
    status: VirNetMessageStatus.VIR_NET_OK,
  });
  return frame;
}

/** A question whether the other side is alive, the same for every one: one buffer serves all connections. */
export const PING = message(ping.number);
/** The answer to a ping likewise. */
export const PONG = message(pong.number);

/** Whether a MESSAGE is a ping. Its serial, status and payload do not count. @source virKeepAliveCheckMessage */
export function isPing(header: Header): boolean {
  return header.prog === program.number && header.vers === program.version && header.proc === ping.number;
}

/** Whether a MESSAGE belongs to the keepalive program, of any version. */
export function isKeepalive(header: Header): boolean {
  return header.prog === program.number;
}

/** When to ask a silent peer whether it lives, and when to believe that it does not: libvirt's keepalive_interval and _count. */
export interface KeepAliveOptions {
  /** Seconds of silence before a ping, and between pings. Above 0. */
  readonly interval: number;
  /**
   * Pings without an answer. One interval after the last of them the connection is closed: interval * (count + 1)
   * seconds after the last byte came. 0: after one interval, without any ping.
   */
  readonly count: number;
}

/** @throws {TypeError} where the numbers make no sense */
export function checkKeepAlive({ interval, count }: KeepAliveOptions): void {
  if (!(interval > 0)) throw new TypeError(`keepalive interval ${interval}: seconds above 0 wanted`);
  if (!(Number.isInteger(count) && count >= 0)) throw new TypeError(`keepalive count ${count}: 0 or more wanted`);
}

/**
 * Watches a connection. Whatever arrives counts as a sign of life, what is sent does not. Its timer does not keep a
 * process alive: the socket does.
 * @source virKeepAliveTimerInternal, libvirt src/rpc/virkeepalive.c
 */
export class KeepAlive {
  readonly #interval: number;
  readonly #count: number;
  readonly #ping: () => void;
  readonly #dead: (error: TransportError) => void;
  #last = performance.now();
  #unanswered = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ interval, count }: KeepAliveOptions, ping: () => void, dead: (error: TransportError) => void) {
    this.#interval = interval * 1000;
    this.#count = count;
    this.#ping = ping;
    this.#dead = dead;
    this.#wait(this.#interval);
  }

  /** Something came. */
  heard(): void {
    this.#last = performance.now();
    this.#unanswered = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(milliseconds: number): void {
    this.#timer = startTimer(() => this.#check(), milliseconds);
    (this.#timer as { unref?: () => void }).unref?.(); // a number in browsers
  }

  #check(): void {
    if (this.#unanswered === 0) {
      // What came since the timer was set only moves it on: nothing is set again per message.
      const left = this.#last + this.#interval - performance.now();
      if (left > 0.5) {
        this.#wait(left);
        return;
      }
    }
    if (this.#unanswered >= this.#count) {
      this.#dead(new TransportError("keepalive", "connection closed due to keepalive timeout"));
      return;
    }
    this.#unanswered++;
    this.#ping();
    this.#wait(this.#interval);
  }
}
