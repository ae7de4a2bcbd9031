import { open } from "node:fs/promises";
import type { Command } from "commander";
import { VirStorageVolUploadFlags as Flag } from "../../generated/libvirt/index.ts";
import { pipeFromFile } from "../../stream/index.ts";
import { print, printJson, VerbError } from "../output.ts";
import { transferring } from "../transfer.ts";
import { attempting, connectionUri, operand, verb, withConnection } from "../verb.ts";
import { byteCount, lookupVolume, wrappedByteCount } from "../volumes.ts";

export interface VolumeOptions {
  readonly vol?: string;
  readonly file?: string;
  readonly pool?: string;
  readonly offset?: bigint;
  readonly length?: bigint;
  readonly sparse?: boolean;
  readonly progress?: boolean;
  readonly json?: boolean;
}

export function volUpload(): Command {
  return verb("vol-upload", "upload file contents to a volume")
    .argument("[vol]", "vol name, key or path")
    .argument("[file]", "file")
    .option("--vol <string>", "vol name, key or path")
    .option("--file <string>", "file")
    .option("--pool <string>", "pool name or uuid")
    .option("--offset <number>", "volume offset to upload to", byteCount)
    .option("--length <number>", "amount of data to upload", wrappedByteCount)
    .option("--sparse", "preserve sparseness of volume")
    .option("--progress", "display the progress of the upload")
    .option("--json", "how many bytes and holes as one JSON value")
    .action(run);
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

/** The operands of both commands. `--vol disk FILE`: the one operand is the file. */
export function volumeOperands(
  command: Command,
  options: VolumeOptions,
  volGiven: string | undefined,
  fileGiven: string | undefined,
): { readonly name: string; readonly path: string } {
  const shifted = options.vol !== undefined && fileGiven === undefined;
  return {
    name: operand(command, "vol", shifted ? undefined : volGiven),
    path: operand(command, "file", shifted ? volGiven : fileGiven),
  };
}
