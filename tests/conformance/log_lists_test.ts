/** The lists that witness-network.org publishes for witnesses, read whole. */
import { assert, assertEquals } from "@std/assert";
import { parseLogList } from "../../src/authority/log_list.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { everyCase, vectorPath, vectorTest } from "./vectors.ts";

const LISTS: readonly [file: string, logs: number][] = [
  ["lists_testing_log-list.1.txt", 9],
  ["lists_staging_log-list-10qps-4klogs.1.txt", 1],
  ["lists_staging_log-list-100qps-40klogs.1.txt", 11],
];

vectorTest("the real lists of logs are read, and nothing is left out", async () => {
  await everyCase({
    cases: LISTS,
    count: 3,
    name: ([file]) => file,
    check([file, count]) {
      const { logs, dropped } = parseLogList(Deno.readTextFileSync(vectorPath(`witness/${file}`)));
      assertEquals(dropped, []);
      assertEquals(logs.size, count);
      for (const [origin, { notation, qpd }] of logs) {
        assertEquals(parseLog(notation).origin, origin);
        assert(qpd >= 1);
      }
    },
  });
});
