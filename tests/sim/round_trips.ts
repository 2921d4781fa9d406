/**
 * How long messages take between regions of the world.
 *
 * The figures are average latencies in milliseconds between six regions in 2019, as the simulator
 * SimBlock publishes them: `LATENCY_2019` in
 * https://github.com/dsg-titech/simblock, simulator/src/main/java/simblock/settings/NetworkConfiguration.java,
 * Apache License 2.0, read at commit 1c0e8996c63ec907e3b1edf17b69174bb8ee411c. SimBlock takes them for
 * one way. They are as long as round trips over these distances are, so here they are round trips.
 *
 * @module
 */

/** The regions, in the order of the table. */
export const REGIONS = [
  ...["North America", "Europe", "South America", "Asia and Pacific", "Japan", "Australia"],
] as const;

const ROUND_TRIPS_MS: readonly (readonly number[])[] = [
  [32, 124, 184, 198, 151, 189],
  [124, 11, 227, 237, 252, 294],
  [184, 227, 88, 325, 301, 322],
  [198, 237, 325, 85, 58, 198],
  [151, 252, 301, 58, 12, 126],
  [189, 294, 322, 198, 126, 16],
];

/** The round-trip time between two regions, by their numbers, in milliseconds. */
export function roundTripMs(from: number, to: number): number {
  return ROUND_TRIPS_MS[from]![to]!;
}
