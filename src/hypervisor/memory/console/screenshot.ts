import type { DriverHandlers } from "../../hypervisor.ts";
import { checkFlags } from "../driver-errors.ts";
import type { Host } from "../host.ts";
import { drawText, encodePng, encodePpm } from "./picture.ts";

const NO_FLAGS = 0;

/** What a screenshot comes as: PNG as of today's QEMU, or the pixmap of older ones. */
export type ScreenshotFormat = "png" | "ppm";

const formats = {
  png: { mime: "image/png", encode: encodePng },
  ppm: { mime: "image/x-portable-pixmap", encode: encodePpm },
} as const;

/** Pictures of guests' screens: their names. */
export function screenshotProcedures(host: Host) {
  return {
    domainScreenshot({ dom, screen, flags }, context) {
      checkFlags(flags, NO_FLAGS, "virDomainScreenshot");
      const domain = host.domains.find(dom);
      const { id } = domain.active;
      const { mime, encode } = formats[host.screenshotFormat];
      const picture = drawText([domain.name, domain.uuidText, `id ${id}, screen ${screen}`]);
      context.stream((stream) => stream.write(encode(picture)));
      return { mime };
    },
  } satisfies DriverHandlers;
}
