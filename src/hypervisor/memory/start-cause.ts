import {
  VirDomainEventStartedDetailType as Started,
  VirDomainEventSuspendedDetailType as Suspended,
  VirDomainPausedReason,
  VirDomainRunningReason,
} from "../../generated/libvirt/index.ts";

/** Why a guest starts: what its state and the events then say. */
export interface StartCause {
  /** A virDomainRunningReason. */
  readonly running: number;
  /** A virDomainPausedReason, for a guest that is started paused. */
  readonly paused: number;
  /** A virDomainEventStartedDetailType. */
  readonly started: number;
  /** A virDomainEventSuspendedDetailType. */
  readonly suspended: number;
}

export const BOOTED: StartCause = {
  running: VirDomainRunningReason.VIR_DOMAIN_RUNNING_BOOTED,
  paused: VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER,
  started: Started.VIR_DOMAIN_EVENT_STARTED_BOOTED,
  suspended: Suspended.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED,
};

export const FROM_SNAPSHOT: StartCause = {
  running: VirDomainRunningReason.VIR_DOMAIN_RUNNING_FROM_SNAPSHOT,
  paused: VirDomainPausedReason.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT,
  started: Started.VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT,
  suspended: Suspended.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT,
};

export const RESTORED: StartCause = {
  running: VirDomainRunningReason.VIR_DOMAIN_RUNNING_RESTORED,
  paused: VirDomainPausedReason.VIR_DOMAIN_PAUSED_USER,
  started: Started.VIR_DOMAIN_EVENT_STARTED_RESTORED,
  suspended: Suspended.VIR_DOMAIN_EVENT_SUSPENDED_RESTORED,
};
