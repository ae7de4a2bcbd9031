import { type Connection, connectTransport } from "../../src/api/index.ts";
import { type QemuHandlers, qemuDescription } from "../../src/generated/qemu/index.ts";
import { type RemoteHandlers, remoteDescription } from "../../src/generated/remote/index.ts";
import { type CallContext, createServer, type Server, serve } from "../../src/server/index.ts";
import { pair } from "../../src/transport/index.ts";

export type Script = RemoteHandlers<CallContext>;

/** A daemon in this process that answers what a test tells it to, and writes down what it was asked. */
export class ScriptedDaemon implements AsyncDisposable {
  readonly conn: Connection;
  /** Procedures and arguments in order, without those that open the connection. */
  readonly calls: { readonly name: string; readonly args: unknown }[];
  readonly #server: Server;

  private constructor(conn: Connection, calls: ScriptedDaemon["calls"], server: Server) {
    this.conn = conn;
    this.calls = calls;
    this.#server = server;
  }

  /** @param features those that it has, by number */
  static async start(
    script: Script,
    features: readonly number[] = [9, 16],
    qemu: QemuHandlers<CallContext> = {},
  ): Promise<ScriptedDaemon> {
    const calls: ScriptedDaemon["calls"] = [];
    const before = ({ name }: { readonly name: string }, _context: CallContext, args: unknown) => {
      calls.push({ name, args });
    };
    const handlers: Script = {
      authList: () => ({ types: [0] }),
      connectOpen: () => {},
      connectClose: (_args, { session }) => session.closeAfterReply(),
      connectGetUri: () => ({ uri: "test:///default" }),
      connectSupportsFeature: ({ feature }) => ({ supported: features.includes(feature) ? 1 : 0 }),
      ...script,
    };
    const server = createServer({
      programs: [serve(remoteDescription, handlers, { before }), serve(qemuDescription, qemu, { before })],
    });
    const [ours, theirs] = pair();
    server.accept(theirs);
    const conn = await connectTransport(ours);
    calls.length = 0;
    return new ScriptedDaemon(conn, calls, server);
  }

  /** The arguments of the last call. */
  get last(): unknown {
    return this.calls.at(-1)?.args;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.conn.close();
    await this.#server.close();
  }
}
