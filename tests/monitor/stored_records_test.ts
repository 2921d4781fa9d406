/** What is read of the records in a store, however many rows somebody has put there. */
import { assertEquals } from "@std/assert";
import type { Common } from "../../src/monitor/common.ts";
import { StoredRecords } from "../../src/monitor/stored_records.ts";
import { Stop } from "../../src/world/stop.ts";

Deno.test("stored records: rows of no use cost one page a call, and all are reached in turn", async () => {
  const common = { keeper: { judge: { logs: [] }, incidents: undefined } } as unknown as Common;
  const records = new StoredRecords(common);
  const rows = Array.from({ length: 50 }, (_, i) => ({
    ...{ evidenceId: `${i}`.padStart(2, "0"), site: "s", siteName: "s", record: "garbage" },
  }));
  const begun: string[] = [];
  const store = {
    recordsLacking: ({ after, limit }: { after: { evidenceId: string }; limit: number }) => {
      begun.push(after.evidenceId);
      const later = rows.filter(({ evidenceId }) => evidenceId > after.evidenceId);
      return Promise.resolve(later.slice(0, limit));
    },
  };
  for (let call = 0; call < 4; call++) await records.take(store, new Stop());
  assertEquals(begun, ["", "19", "39", ""]);
});
