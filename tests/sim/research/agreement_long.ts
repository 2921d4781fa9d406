/** The settings of agreement_test.ts for which an ordinary test run has no time. */
import { testAgreement } from "./agreeing.ts";

testAgreement({ monitors: 10, fanOut: 1, silentShare: 0, sizes: "unequal" });
testAgreement({ monitors: 10, fanOut: 1, silentShare: 0.33, sizes: "equal" });
