import type { Command } from "commander";
import { VirStorageVolDownloadFlags as Flag } from "../../generated/libvirt/index.ts";
import { pipeToFile } from "../../stream/index.ts";
import { createFile } from "../new-file.ts";
import { print, printJson } from "../output.ts";
import { transferring } from "../transfer.ts";
import { attempting, connectionUri, withConnection } from "../verb.ts";
import { lookupVolume, type VolumeOptions, volumeOperands, volumeVerb } from "../volumes.ts";

export function volDownload(): Command {
  return volumeVerb("download", "download volume contents to a file", "download from").action(run);
}

async function run(
  volGiven: string | undefined,
  fileGiven: string | undefined,
  options: VolumeOptions,
  command: Command,
): Promise<void> {
  const { name, path } = volumeOperands(command, options, volGiven, fileGiven);
  const result = await withConnection(connectionUri(command), async (conn) => {
    const volume = await lookupVolume(conn, name, options.pool);
    const { offset = 0n, length = 0n, progress = false } = options;
    const total = progress ? Number(await amount(offset, length, () => volume.getInfo())) : undefined;
    await using file = await createFile(path, `cannot create ${path}`);
    return await file.filledBy(() =>
      transferring(progress, async (transfer) => {
        const flags = options.sparse ? Flag.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM : 0;
        const stream = await attempting(`cannot download from volume ${name}`, () =>
          volume.download(offset, length, flags),
        );
        return attempting(`cannot receive data from volume ${name}`, () =>
          pipeToFile(stream, file.handle, { ...transfer, ...(total === undefined ? {} : { total }) }),
        );
      }),
    );
  });
  if (options.json) printJson(result);
  else print("\n");
}

/** How many bytes there will be. */
async function amount(
  offset: bigint,
  length: bigint,
  info: () => Promise<{ readonly capacity: bigint }>,
): Promise<bigint> {
  const { capacity } = await info();
  const rest = capacity > offset ? capacity - offset : 0n;
  return length === 0n || length > rest ? rest : length;
}
