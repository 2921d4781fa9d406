/** Which checkpoints a monitor says it has settled, and what it costs to ask. */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { askSettled } from "../../src/gossip/asking.ts";
import type { ParcelItem } from "../../src/gossip/kinds.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { encodeParcel, itemCost, ParcelDecoder, ParcelPacker } from "../../src/gossip/parcel.ts";
import {
  type HeadOfLog,
  MAX_HEADS_ASKED,
  SETTLED,
  settledItem,
  type Standing,
} from "../../src/gossip/settled_item.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import type { Log } from "../../src/tlog/log.ts";
import { ask, forkedLog, HERE, logOf, partyOf, recordOfFork, serve } from "./helpers.ts";

const ENTRY_BYTES = 73;
const followed = (await logOf("log.example/a", 1)).log;
const stranger = (await logOf("log.example/b", 1)).log;

function head(log: Log, size: number): HeadOfLog {
  return { log, treeSize: BigInt(size), root: base64(sha256(Uint8Array.of(size))) };
}

/** A monitor that has proven even sizes, has 3 open, and knows nothing of the others. */
function standing(_log: Log, { treeSize }: { treeSize: bigint }): Standing {
  return treeSize % 2n === 0n ? "consistent" : treeSize === 3n ? "open" : "unknown";
}

/** The items that are answered to these; nothing for a refusal. */
async function answeredTo(items: readonly ParcelItem[]): Promise<ParcelItem[] | undefined> {
  await using scene = await serve({ logs: [followed], standing });
  const answer = await ask(await scene.connect(), encodeParcel(items));
  assertEquals(scene.report.brokenAll.length, answer.length === 0 ? 1 : 0);
  if (answer.length === 0) return undefined;
  return [...new ParcelDecoder(DEFAULT_LIMITS).take(answer)];
}

Deno.test("settled: each checkpoint that is asked about is answered, in order, with how it stands", async () => {
  const heads = [2, 3, 5, 4].map((size) => head(followed, size));
  const wanted = heads.map((one) => ({ ...one, standing: standing(followed, one) }));
  assertEquals(await answeredTo([settledItem(heads)]), [settledItem(wanted)]);
  assertEquals(wanted.map(({ standing }) => standing), [
    ...["consistent", "open", "unknown", "consistent"] as const,
  ]);
  // Who does not ask is told nothing.
  assertEquals(await answeredTo([]), []);
});

Deno.test("settled: logs that are not followed, claims and words of later versions are passed over", async () => {
  const claim = { ...head(followed, 3), standing: "consistent" } as const;
  const later = settledItem([head(followed, 2)]).body.with(0, 4);
  const body = concat([
    settledItem([head(stranger, 2), claim]).body,
    later,
    settledItem([head(followed, 3)]).body,
  ]);
  const wanted = settledItem([{ ...head(followed, 3), standing: "open" }]);
  assertEquals(await answeredTo([{ kind: "settled", body }]), [wanted]);
  assertEquals(await answeredTo([settledItem([claim])]), [settledItem([])]);
});

Deno.test("settled: what is no list of checkpoints is refused, and so is a second one", async () => {
  const { body } = settledItem([head(followed, 2), head(followed, 3)]);
  assertEquals(body.length, 2 * ENTRY_BYTES);
  const torn = [1, ENTRY_BYTES - 1, ENTRY_BYTES + 1].map((length) => body.slice(0, length));
  const huge = body.with(33, 0x80); // The first bit of the size.
  const full = new Uint8Array(SETTLED.maxBytes);
  for (const bad of [...torn, huge, concat([full, body.slice(0, ENTRY_BYTES)])]) {
    assertEquals(await answeredTo([{ kind: "settled", body: bad }]), undefined);
  }
  const item = settledItem([head(followed, 2)]);
  assertEquals(await answeredTo([item, item]), undefined);
  assert(await answeredTo([{ kind: "settled", body: full }]) !== undefined);
});

Deno.test("settled: each checkpoint costs as much as a frame, before it is looked up", async () => {
  const heads = Array.from({ length: MAX_HEADS_ASKED + 1 }, (_, i) => head(followed, i));
  const most = settledItem(heads);
  assertEquals(most.body.length, MAX_HEADS_ASKED * ENTRY_BYTES);
  assertEquals(itemCost(DEFAULT_LIMITS, most), SETTLED.cost + MAX_HEADS_ASKED);
  let lookedUp = 0;
  await using scene = await serve({
    logs: [followed],
    limits: { framesPerSecondPerAddress: MAX_HEADS_ASKED, strangersShare: 1 },
    standing: () => {
      lookedUp++;
      return "open";
    },
  });
  const answer = await ask(await scene.connect(), encodeParcel([most]));
  assertEquals([answer.length, lookedUp], [0, 0]);
});

Deno.test("settled: the longest answer fits beside as many records as a parcel may have", () => {
  const { maxRecordsPerParcel } = DEFAULT_LIMITS;
  const packer = new ParcelPacker(DEFAULT_LIMITS);
  const record: ParcelItem = { kind: "record", body: new Uint8Array(2_000) };
  for (let i = 0; i < maxRecordsPerParcel; i++) assert(packer.add(record));
  const heads = Array.from({ length: MAX_HEADS_ASKED }, (_, i) => head(followed, i));
  assert(packer.add(settledItem(heads.map((one) => ({ ...one, standing: "open" as const })))));
});

Deno.test("settled: who asks about a log is answered with the evidence about it", async () => {
  const fork = await forkedLog();
  const record = await recordOfFork(fork);
  const { log } = fork.honest;
  await using scene = await serve({ logs: [log], records: () => [record] });
  const answer = await ask(await scene.connect(), encodeParcel([settledItem([head(log, 9)])]));
  const kinds = [...new ParcelDecoder(DEFAULT_LIMITS).take(answer)].map(({ kind }) => kind);
  assertEquals(kinds, ["record", "settled"]);
});

Deno.test("settled: the caller takes claims about what it asked, and a version that cannot say says nothing", async () => {
  const caller = await partyOf({ logs: [followed] });
  const heads = [head(followed, 2), head(followed, 3)];
  const other = { ...head(followed, 6), standing: "consistent" } as const;
  const answers: [readonly ParcelItem[], unknown][] = [
    [
      [settledItem([other, { ...heads[0]!, standing: "consistent" }])],
      [{ ...heads[0]!, standing: "consistent" }],
    ],
    [[], undefined],
  ];
  for (const [items, wanted] of answers) {
    const listener = caller.network.listen(HERE);
    const serving = (async () => {
      const connection = (await listener.accept())!;
      await ask(connection, encodeParcel(items));
    })();
    assertEquals(await askSettled({ party: caller.party, callee: HERE, heads }), wanted);
    await serving;
    listener.close();
  }
});
