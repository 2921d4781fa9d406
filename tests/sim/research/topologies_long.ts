/** The same as topologies_test.ts, with so many members that an ordinary test run has no time for it. */
import { deliveries } from "./delivering.ts";

for (const { name, run } of deliveries(50)) Deno.test(name, run);
