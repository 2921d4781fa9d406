/** What the page says of a store that sites share. */
import { assertEquals, assertMatch } from "@std/assert";
import type { Status } from "../../src/monitor/status.ts";
import { html } from "../../src/web/html.ts";
import { peerSection, storeSection } from "../../src/web/page_others.ts";
import { FULL } from "./full_status.ts";

function textOf(content: Parameters<typeof html>[1]): string {
  return html`${content}`.toString().replaceAll("<wbr>", "").replace(/<[^>]+>/g, " ").replace(
    /\s+/g,
    " ",
  );
}

Deno.test("page: a peer that another site hears is said to be heard there", () => {
  const { heardBy: _, ...unheard } = FULL.peers[0]!;
  const alone: Status = { ...FULL, peers: [unheard] };
  assertMatch(textOf(peerSection(FULL)), / site monitor\.invalid\/two heard it .* ago /);
  assertEquals(/heard it/.test(textOf(peerSection(alone))), false);
});

Deno.test("page: a site is alive, stopped or away", () => {
  const said = (state: { isAlive: boolean; isStopped?: boolean }): string | undefined => {
    const { isStopped: _, ...site } = FULL.store.sites[0]!;
    const store = { ...FULL.store, sites: [{ ...site, ...state }] };
    return /monitor\.invalid\/two (\w+)/.exec(textOf(storeSection({ ...FULL, store })))?.[1];
  };
  const states = [{ isAlive: true }, { isAlive: false, isStopped: true }, { isAlive: false }];
  assertEquals(states.map(said), ["alive", "stopped", "away"]);
});
