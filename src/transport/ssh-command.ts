import { TransportError } from "./errors.ts";
import type { RemoteCommand } from "./options.ts";

/**
 * What ssh's shell runs at the far host, one text: virt-ssh-helper, or `nc` to the daemon's socket, or whichever of
 * them is there. Character by character what libvirt's client sends, but for a socket's path that needs quotes.
 * @source virNetClientSSHHelperCommand, libvirt src/rpc/virnetclient.c
 */
export function remoteCommand({ proxy = "auto", netcat, socket, uri, readOnly }: RemoteCommand): string {
  if (proxy === "native" && netcat !== undefined) {
    throw new TransportError("option", "netcat path not valid with native proxy mode");
  }
  const nc = twice(netcat ?? "nc");
  // libvirt leaves this one as it is, so that a path with a blank or a semicolon is no path any more.
  const path = shellQuoted(socket) === socket ? socket : `'${twice(socket)}'`;
  const netcatCommand =
    `if '${nc}' -q 2>&1 | grep "requires an argument" >/dev/null 2>&1; then ARG=-q0;else ARG=;fi;` +
    `'${nc}' $ARG -U ${path}`;
  const helper = `virt-ssh-helper${readOnly ? " -r " : " "}'${twice(uri)}'`;
  switch (proxy === "auto" && netcat !== undefined ? "netcat" : proxy) {
    case "native":
      return `sh -c '${helper}'`;
    case "netcat":
      return `sh -c '${netcatCommand}'`;
    case "auto":
      return (
        "sh -c 'which virt-ssh-helper 1>/dev/null 2>&1; " +
        `if test $? = 0; then     ${helper}; else    ${netcatCommand}; fi'`
      );
  }
}

/** Quoted for the shell that sshd starts, and for the one that this starts. */
function twice(text: string): string {
  return shellQuoted(shellQuoted(text));
}

/** @source virBufferEscapeShell, libvirt src/util/virbuffer.c: quotes only where something has to be quoted. */
function shellQuoted(text: string): string {
  if (text === "") return "''";
  if (!/[\r\t\n !"#$&'()*;<>?[\\\]^`{|}~]/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}
