/**
 * libvirt's text for each error code: without a detail, and with one (`%1$s`, or `%s`). From libvirt 11.3.0 (`virerror.c`).
 * The texts are part of the protocol: they travel as `str1`, and people search logs for them.
 */
export const errorTemplates: Readonly<Record<number, readonly [bare: string, withDetail: string]>> = {
  1: ["internal error", "internal error: %1$s"], // VIR_ERR_INTERNAL_ERROR
  2: ["out of memory", "out of memory: %1$s"], // VIR_ERR_NO_MEMORY
  3: [
    "this function is not supported by the connection driver",
    "this function is not supported by the connection driver: %1$s",
  ], // VIR_ERR_NO_SUPPORT
  4: ["unknown host", "unknown host %1$s"], // VIR_ERR_UNKNOWN_HOST
  5: ["no connection driver available", "no connection driver available for %1$s"], // VIR_ERR_NO_CONNECT
  6: ["invalid connection pointer in", "invalid connection pointer in %1$s"], // VIR_ERR_INVALID_CONN
  7: ["invalid domain pointer in", "invalid domain pointer in %1$s"], // VIR_ERR_INVALID_DOMAIN
  8: ["invalid argument", "invalid argument: %1$s"], // VIR_ERR_INVALID_ARG
  9: ["operation failed", "operation failed: %1$s"], // VIR_ERR_OPERATION_FAILED
  10: ["GET operation failed", "GET operation failed: %1$s"], // VIR_ERR_GET_FAILED
  11: ["POST operation failed", "POST operation failed: %1$s"], // VIR_ERR_POST_FAILED
  12: ["got unknown HTTP error code", "got unknown HTTP error code %1$s"], // VIR_ERR_HTTP_ERROR
  13: ["failed to serialize S-Expr", "failed to serialize S-Expr: %1$s"], // VIR_ERR_SEXPR_SERIAL
  14: ["could not use Xen hypervisor entry", "could not use Xen hypervisor entry %1$s"], // VIR_ERR_NO_XEN
  15: ["failed Xen syscall", "failed Xen syscall %1$s"], // VIR_ERR_XEN_CALL
  16: ["unknown OS type", "unknown OS type %1$s"], // VIR_ERR_OS_TYPE
  17: ["missing kernel information", "missing kernel information: %1$s"], // VIR_ERR_NO_KERNEL
  18: ["missing root device information", "missing root device information in %1$s"], // VIR_ERR_NO_ROOT
  19: ["missing source information for device", "missing source information for device %1$s"], // VIR_ERR_NO_SOURCE
  20: ["missing target information for device", "missing target information for device %1$s"], // VIR_ERR_NO_TARGET
  21: ["missing name information", "missing name information in %1$s"], // VIR_ERR_NO_NAME
  22: ["missing operating system information", "missing operating system information for %1$s"], // VIR_ERR_NO_OS
  23: ["missing devices information", "missing devices information for %1$s"], // VIR_ERR_NO_DEVICE
  24: ["could not connect to Xen Store", "could not connect to Xen Store %1$s"], // VIR_ERR_NO_XENSTORE
  25: ["too many drivers registered", "too many drivers registered in %1$s"], // VIR_ERR_DRIVER_FULL
  26: ["library call failed", "library call failed: %1$s"], // VIR_ERR_CALL_FAILED
  27: ["XML description is invalid or not well formed", "XML error: %1$s"], // VIR_ERR_XML_ERROR
  28: ["this domain exists already", "domain %1$s exists already"], // VIR_ERR_DOM_EXIST
  29: ["operation forbidden for read only access", "operation forbidden: %1$s"], // VIR_ERR_OPERATION_DENIED
  30: ["failed to open configuration file", "failed to open configuration file %1$s"], // VIR_ERR_OPEN_FAILED
  31: ["failed to read configuration file", "failed to read configuration file %1$s"], // VIR_ERR_READ_FAILED
  32: ["failed to parse configuration file", "failed to parse configuration file %1$s"], // VIR_ERR_PARSE_FAILED
  33: ["configuration file syntax error", "configuration file syntax error: %1$s"], // VIR_ERR_CONF_SYNTAX
  34: ["failed to write configuration file", "failed to write configuration file: %1$s"], // VIR_ERR_WRITE_FAILED
  35: ["parser error", "%s"], // VIR_ERR_XML_DETAIL
  36: ["invalid network pointer in", "invalid network pointer in %1$s"], // VIR_ERR_INVALID_NETWORK
  37: ["this network exists already", "network %1$s exists already"], // VIR_ERR_NETWORK_EXIST
  38: ["system call error", "%s"], // VIR_ERR_SYSTEM_ERROR
  39: ["RPC error", "%s"], // VIR_ERR_RPC
  40: ["GNUTLS call error", "%s"], // VIR_ERR_GNUTLS_ERROR
  41: ["Failed to find the network", "Failed to find the network: %1$s"], // VIR_WAR_NO_NETWORK
  42: ["Domain not found", "Domain not found: %1$s"], // VIR_ERR_NO_DOMAIN
  43: ["Network not found", "Network not found: %1$s"], // VIR_ERR_NO_NETWORK
  44: ["invalid MAC address", "invalid MAC address: %1$s"], // VIR_ERR_INVALID_MAC
  45: ["authentication failed", "authentication failed: %1$s"], // VIR_ERR_AUTH_FAILED
  46: ["invalid storage pool pointer in", "invalid storage pool pointer in %1$s"], // VIR_ERR_INVALID_STORAGE_POOL
  47: ["invalid storage volume pointer in", "invalid storage volume pointer in %1$s"], // VIR_ERR_INVALID_STORAGE_VOL
  48: ["Failed to find a storage driver", "Failed to find a storage driver: %1$s"], // VIR_WAR_NO_STORAGE
  49: ["Storage pool not found", "Storage pool not found: %1$s"], // VIR_ERR_NO_STORAGE_POOL
  50: ["Storage volume not found", "Storage volume not found: %1$s"], // VIR_ERR_NO_STORAGE_VOL
  51: ["Failed to find a node driver", "Failed to find a node driver: %1$s"], // VIR_WAR_NO_NODE
  52: ["invalid node device pointer", "invalid node device pointer in %1$s"], // VIR_ERR_INVALID_NODE_DEVICE
  53: ["Node device not found", "Node device not found: %1$s"], // VIR_ERR_NO_NODE_DEVICE
  54: ["Security model not found", "Security model not found: %1$s"], // VIR_ERR_NO_SECURITY_MODEL
  55: ["Requested operation is not valid", "Requested operation is not valid: %1$s"], // VIR_ERR_OPERATION_INVALID
  56: ["Failed to find the interface", "Failed to find the interface: %1$s"], // VIR_WAR_NO_INTERFACE
  57: ["Interface not found", "Interface not found: %1$s"], // VIR_ERR_NO_INTERFACE
  58: ["invalid interface pointer in", "invalid interface pointer in %1$s"], // VIR_ERR_INVALID_INTERFACE
  59: ["multiple matching interfaces found", "multiple matching interfaces found: %1$s"], // VIR_ERR_MULTIPLE_INTERFACES
  60: ["Failed to start the nwfilter driver", "Failed to start the nwfilter driver: %1$s"], // VIR_WAR_NO_NWFILTER
  61: ["Invalid network filter", "Invalid network filter: %1$s"], // VIR_ERR_INVALID_NWFILTER
  62: ["Network filter not found", "Network filter not found: %1$s"], // VIR_ERR_NO_NWFILTER
  63: ["Error while building firewall", "Error while building firewall: %1$s"], // VIR_ERR_BUILD_FIREWALL
  64: ["Failed to find a secret storage driver", "Failed to find a secret storage driver: %1$s"], // VIR_WAR_NO_SECRET
  65: ["Invalid secret", "Invalid secret: %1$s"], // VIR_ERR_INVALID_SECRET
  66: ["Secret not found", "Secret not found: %1$s"], // VIR_ERR_NO_SECRET
  67: ["unsupported configuration", "unsupported configuration: %1$s"], // VIR_ERR_CONFIG_UNSUPPORTED
  68: ["Timed out during operation", "Timed out during operation: %1$s"], // VIR_ERR_OPERATION_TIMEOUT
  69: ["Failed to make domain persistent after migration", "Failed to make domain persistent after migration: %1$s"], // VIR_ERR_MIGRATE_PERSIST_FAILED
  70: ["Hook script execution failed", "Hook script execution failed: %1$s"], // VIR_ERR_HOOK_SCRIPT_FAILED
  71: ["Invalid domain snapshot", "Invalid domain snapshot: %1$s"], // VIR_ERR_INVALID_DOMAIN_SNAPSHOT
  72: ["Domain snapshot not found", "Domain snapshot not found: %1$s"], // VIR_ERR_NO_DOMAIN_SNAPSHOT
  73: ["invalid stream pointer", "invalid stream pointer in %1$s"], // VIR_ERR_INVALID_STREAM
  74: ["argument unsupported", "argument unsupported: %1$s"], // VIR_ERR_ARGUMENT_UNSUPPORTED
  75: ["Storage pool probe failed", "Storage pool probe failed: %1$s"], // VIR_ERR_STORAGE_PROBE_FAILED
  76: ["Storage pool already built", "Storage pool already built: %1$s"], // VIR_ERR_STORAGE_POOL_BUILT
  77: ["revert requires force", "revert requires force: %1$s"], // VIR_ERR_SNAPSHOT_REVERT_RISKY
  78: ["operation aborted", "operation aborted: %1$s"], // VIR_ERR_OPERATION_ABORTED
  79: ["authentication cancelled", "authentication cancelled: %1$s"], // VIR_ERR_AUTH_CANCELLED
  80: ["metadata not found", "metadata not found: %1$s"], // VIR_ERR_NO_DOMAIN_METADATA
  81: ["Unsafe migration", "Unsafe migration: %1$s"], // VIR_ERR_MIGRATE_UNSAFE
  82: ["numerical overflow", "numerical overflow: %1$s"], // VIR_ERR_OVERFLOW
  83: ["block copy still active", "block copy still active: %1$s"], // VIR_ERR_BLOCK_COPY_ACTIVE
  84: ["Operation not supported", "Operation not supported: %1$s"], // VIR_ERR_OPERATION_UNSUPPORTED
  85: ["SSH transport error", "SSH transport error: %1$s"], // VIR_ERR_SSH
  86: ["Guest agent is not responding", "Guest agent is not responding: %1$s"], // VIR_ERR_AGENT_UNRESPONSIVE
  87: ["resource busy", "resource busy: %1$s"], // VIR_ERR_RESOURCE_BUSY
  88: ["access denied", "access denied: %1$s"], // VIR_ERR_ACCESS_DENIED
  89: ["error from service", "error from service: %1$s"], // VIR_ERR_DBUS_SERVICE
  90: ["this storage volume exists already", "storage volume %1$s exists already"], // VIR_ERR_STORAGE_VOL_EXIST
  91: ["the CPU is incompatible with host CPU", "the CPU is incompatible with host CPU: %1$s"], // VIR_ERR_CPU_INCOMPATIBLE
  92: ["XML document failed to validate against schema", "XML document failed to validate against schema: %1$s"], // VIR_ERR_XML_INVALID_SCHEMA
  93: ["migration successfully aborted", "migration successfully aborted: %1$s"], // VIR_ERR_MIGRATE_FINISH_OK
  94: ["authentication unavailable", "authentication unavailable: %1$s"], // VIR_ERR_AUTH_UNAVAILABLE
  95: ["Server not found", "Server not found: %1$s"], // VIR_ERR_NO_SERVER
  96: ["Client not found", "Client not found: %1$s"], // VIR_ERR_NO_CLIENT
  97: [
    "guest agent replied with wrong id to guest-sync command",
    "guest agent replied with wrong id to guest-sync command: %1$s",
  ], // VIR_ERR_AGENT_UNSYNCED
  98: ["libssh transport error", "libssh transport error: %1$s"], // VIR_ERR_LIBSSH
  99: ["device not found", "device not found: %1$s"], // VIR_ERR_DEVICE_MISSING
  100: ["Invalid network filter binding", "Invalid network filter binding: %1$s"], // VIR_ERR_INVALID_NWFILTER_BINDING
  101: ["Network filter binding not found", "Network filter binding not found: %1$s"], // VIR_ERR_NO_NWFILTER_BINDING
  102: ["Invalid domain checkpoint", "Invalid domain checkpoint: %1$s"], // VIR_ERR_INVALID_DOMAIN_CHECKPOINT
  103: ["Domain checkpoint not found", "Domain checkpoint not found: %1$s"], // VIR_ERR_NO_DOMAIN_CHECKPOINT
  104: ["Domain backup job id not found", "Domain backup job id not found: %1$s"], // VIR_ERR_NO_DOMAIN_BACKUP
  105: ["Invalid network port pointer", "Invalid network port pointer: %1$s"], // VIR_ERR_INVALID_NETWORK_PORT
  106: ["this network port exists already", "network port %1$s exists already"], // VIR_ERR_NETWORK_PORT_EXIST
  107: ["network port not found", "network port not found: %1$s"], // VIR_ERR_NO_NETWORK_PORT
  108: ["no hostname found", "no hostname found: %1$s"], // VIR_ERR_NO_HOSTNAME
  109: ["checkpoint inconsistent", "checkpoint inconsistent: %1$s"], // VIR_ERR_CHECKPOINT_INCONSISTENT
  110: ["multiple matching domains found", "multiple matching domains found: %1$s"], // VIR_ERR_MULTIPLE_DOMAINS
  111: ["metadata not found", "metadata not found: %1$s"], // VIR_ERR_NO_NETWORK_METADATA
  112: ["guest agent command timed out", "guest agent command timed out: %1$s"], // VIR_ERR_AGENT_COMMAND_TIMEOUT
  113: ["guest agent command failed", "guest agent command failed: %1$s"], // VIR_ERR_AGENT_COMMAND_FAILED
};
