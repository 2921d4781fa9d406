/** The same as topologies_test.ts, with so many members that an ordinary test run has no time for it. */
import { testDelivery } from "./delivering.ts";

testDelivery(50);
