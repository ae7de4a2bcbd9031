import { defineConfig } from "vitest/config";

/** Tests against real libvirt. They share one machine's network and processor: one file after the other. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.interop.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 900_000,
    reporters: ["verbose"],
  },
});
