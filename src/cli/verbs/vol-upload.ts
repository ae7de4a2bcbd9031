import { open } from "node:fs/promises";
import type { Command } from "commander";
import { VirStorageVolUploadFlags as Flag } from "../../generated/libvirt/index.ts";
import { pipeFromFile } from "../../stream/index.ts";
import { print, printJson, VerbError } from "../output.ts";
import { transferring } from "../transfer.ts";
import { attempting, connectionUri, withConnection } from "../verb.ts";
import { lookupVolume, type VolumeOptions, volumeOperands, volumeVerb } from "../volumes.ts";

export function volUpload(): Command {
  return volumeVerb("upload", "upload file contents to a volume", "upload to").action(run);
}

async function run(
  volGiven: string | undefined,
  fileGiven: string | undefined,
  options: VolumeOptions,
  command: Command,
): Promise<void> {
  const { name, path } = volumeOperands(command, options, volGiven, fileGiven);
  const { sparse = false } = options;
  const result = await withConnection(connectionUri(command), async (conn) => {
    const volume = await lookupVolume(conn, name, options.pool);
    await using file = await open(path, "r").catch(() => {
      throw new VerbError(`cannot read ${path}`);
    });
    return await transferring(options.progress ?? false, async (transfer) => {
      const { offset = 0n, length = 0n } = options;
      const flags = sparse ? Flag.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM : 0;
      const stream = await attempting(`cannot upload to volume ${name}`, () => volume.upload(offset, length, flags));
      return attempting(`cannot send data to volume ${name}`, () =>
        pipeFromFile(stream, file, { sparse, ...transfer }),
      );
    });
  });
  if (options.json) printJson(result);
  else print("\n");
}
