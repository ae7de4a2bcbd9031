import type { RemoteHandlers } from "../generated/remote/index.ts";
import type { CallContext } from "../server/index.ts";

/** Procedures that the connection answers by itself, whatever is behind it. */
export type ConnectionProcedure =
  | "authList"
  | "authSaslInit"
  | "authSaslStart"
  | "authSaslStep"
  | "authPolkit"
  | "connectOpen"
  | "connectClose"
  | "connectSupportsFeature"
  | "connectGetUri"
  | "connectRegisterCloseCallback"
  | "connectUnregisterCloseCallback";

/** The procedures that a driver has a say in. They run on connections that are open only. */
export type DriverHandlers = Omit<RemoteHandlers<CallContext>, ConnectionProcedure>;

/** What a daemon manages: the driver behind the connections that {@link remoteProgram} serves. */
export interface Hypervisor extends AsyncDisposable {
  /** What CONNECT_GET_TYPE answers, and what error texts call the driver. */
  readonly type: string;
  readonly hostname: string;
  /** The URI of a connection whose client left the choice to the daemon. */
  readonly defaultUri: string;
  /** Whether a connection may be opened by this URI, transport and parameters taken off: `qemu:///system`. */
  accepts(uri: string): boolean;
  /**
   * Answers CONNECT_SUPPORTS_FEATURE for the numbers that are a driver's (VIR_DRV_FEATURE_*); those of the protocol
   * are answered before.
   */
  supportsFeature(feature: number): boolean;
  /** Whether guests run: a daemon that ends when nobody uses it stays. Left out: it may end. */
  readonly busy?: boolean;
  /** What is left out is answered VIR_ERR_NO_SUPPORT. */
  readonly procedures: DriverHandlers;
  /** Stops all guests and gives back what they held. */
  close(): Promise<void>;
}
