import { VirDomainEventID as id } from "../../generated/libvirt/index.ts";
import * as r from "../../generated/remote/index.ts";
import { eventKind } from "./event-kind.ts";

/** As libvirt's client fills it in for an old daemon: remoteDomainBuildEventPMWakeup, src/remote/remote_driver.c. */
const noReason = { reason: 0 };

/**
 * Events of guests, virDomainEventID: by the name of the C constant in camel case. The second procedure is what a
 * daemon without VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK sends.
 * @source remoteEvents, libvirt src/remote/remote_driver.c
 */
export const domainEvents = {
  lifecycle: eventKind(id.VIR_DOMAIN_EVENT_ID_LIFECYCLE, r.domainEventCallbackLifecycle, r.domainEventLifecycle),
  reboot: eventKind(id.VIR_DOMAIN_EVENT_ID_REBOOT, r.domainEventCallbackReboot, r.domainEventReboot),
  rtcChange: eventKind(id.VIR_DOMAIN_EVENT_ID_RTC_CHANGE, r.domainEventCallbackRtcChange, r.domainEventRtcChange),
  watchdog: eventKind(id.VIR_DOMAIN_EVENT_ID_WATCHDOG, r.domainEventCallbackWatchdog, r.domainEventWatchdog),
  ioError: eventKind(id.VIR_DOMAIN_EVENT_ID_IO_ERROR, r.domainEventCallbackIoError, r.domainEventIoError),
  graphics: eventKind(id.VIR_DOMAIN_EVENT_ID_GRAPHICS, r.domainEventCallbackGraphics, r.domainEventGraphics),
  ioErrorReason: eventKind(
    id.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
    r.domainEventCallbackIoErrorReason,
    r.domainEventIoErrorReason,
  ),
  controlError: eventKind(
    id.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR,
    r.domainEventCallbackControlError,
    r.domainEventControlError,
  ),
  blockJob: eventKind(id.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, r.domainEventCallbackBlockJob, r.domainEventBlockJob),
  diskChange: eventKind(id.VIR_DOMAIN_EVENT_ID_DISK_CHANGE, r.domainEventCallbackDiskChange, r.domainEventDiskChange),
  trayChange: eventKind(id.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, r.domainEventCallbackTrayChange, r.domainEventTrayChange),
  pmwakeup: eventKind(id.VIR_DOMAIN_EVENT_ID_PMWAKEUP, r.domainEventCallbackPmwakeup, r.domainEventPmwakeup, noReason),
  pmsuspend: eventKind(
    id.VIR_DOMAIN_EVENT_ID_PMSUSPEND,
    r.domainEventCallbackPmsuspend,
    r.domainEventPmsuspend,
    noReason,
  ),
  balloonChange: eventKind(
    id.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
    r.domainEventCallbackBalloonChange,
    r.domainEventBalloonChange,
  ),
  pmsuspendDisk: eventKind(
    id.VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK,
    r.domainEventCallbackPmsuspendDisk,
    r.domainEventPmsuspendDisk,
    noReason,
  ),
  deviceRemoved: eventKind(
    id.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
    r.domainEventCallbackDeviceRemoved,
    r.domainEventDeviceRemoved,
  ),
  blockJob2: eventKind(id.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, r.domainEventBlockJob2),
  tunable: eventKind(id.VIR_DOMAIN_EVENT_ID_TUNABLE, r.domainEventCallbackTunable),
  agentLifecycle: eventKind(id.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, r.domainEventCallbackAgentLifecycle),
  deviceAdded: eventKind(id.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, r.domainEventCallbackDeviceAdded),
  migrationIteration: eventKind(id.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, r.domainEventCallbackMigrationIteration),
  jobCompleted: eventKind(id.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, r.domainEventCallbackJobCompleted),
  deviceRemovalFailed: eventKind(
    id.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
    r.domainEventCallbackDeviceRemovalFailed,
  ),
  metadataChange: eventKind(id.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, r.domainEventCallbackMetadataChange),
  blockThreshold: eventKind(id.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD, r.domainEventBlockThreshold),
  memoryFailure: eventKind(id.VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE, r.domainEventMemoryFailure),
  memoryDeviceSizeChange: eventKind(
    id.VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
    r.domainEventMemoryDeviceSizeChange,
  ),
  nicMacChange: eventKind(id.VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE, r.domainEventNicMacChange),
} as const;
