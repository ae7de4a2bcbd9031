export type { MigrationEvent, MigrationStep } from "./events.ts";
export { progressOf } from "./job-watch.ts";
export { type MigrateOptions, migrateBetween } from "./managed.ts";
export { type Migration, migrate, startMigration } from "./migrate.ts";
export { type MigrationParameterName, type MigrationParameters, migrationParameters } from "./parameters.ts";
