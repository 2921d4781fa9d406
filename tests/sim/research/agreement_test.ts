/** The lighter model of spreading agrees with whole daemons. */
import { testAgreement } from "./agreeing.ts";

// `.ci/run` has the settings between these as well: see agreement_long.ts.
testAgreement({ monitors: 10, fanOut: 1, silentShare: 0, sizes: "equal" });
testAgreement({ monitors: 10, fanOut: 2, silentShare: 0.33, sizes: "unequal" });
