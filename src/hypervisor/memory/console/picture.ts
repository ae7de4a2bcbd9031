import { crc32, deflateSync } from "node:zlib";
import { GLYPH_HEIGHT, GLYPH_WIDTH, hasInk } from "./font.ts";

/** A picture in 8 bits each of red, green and blue, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

const SCALE = 2;
const MARGIN = 16;
const INK = 0xd0;
const PAPER = 0x10;

/** Draws lines of text, as on a screen of 640×400. What does not fit is left out. */
export function drawText(lines: readonly string[]): Picture {
  const [width, height] = [640, 400];
  const pixels = new Uint8Array(width * height * 3).fill(PAPER);
  const columns = Math.floor((width - 2 * MARGIN) / (GLYPH_WIDTH * SCALE));
  const rows = Math.floor((height - 2 * MARGIN) / (GLYPH_HEIGHT * SCALE));
  lines.slice(0, rows).forEach((line, row) => {
    [...line].slice(0, columns).forEach((character, column) => {
      const left = MARGIN + column * GLYPH_WIDTH * SCALE;
      const top = MARGIN + row * GLYPH_HEIGHT * SCALE;
      for (let y = 0; y < GLYPH_HEIGHT * SCALE; y++) {
        for (let x = 0; x < GLYPH_WIDTH * SCALE; x++) {
          if (!hasInk(character, Math.floor(x / SCALE), Math.floor(y / SCALE))) continue;
          const at = ((top + y) * width + left + x) * 3;
          pixels.fill(INK, at, at + 3);
        }
      }
    });
  });
  return { width, height, pixels };
}

/** Portable pixmap, the binary kind. */
export function encodePpm({ width, height, pixels }: Picture): Uint8Array {
  return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), pixels]);
}

/** @source Portable Network Graphics, W3C: signature, IHDR, IDAT, IEND. */
export function encodePng({ width, height, pixels }: Picture): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB, deflate, the only filters, not interlaced
  const stride = width * 3;
  const rows = Buffer.alloc((stride + 1) * height); // each after the number of its filter: 0, none
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.of()),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.byteLength);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
