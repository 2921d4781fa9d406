/**
 * The page in a browser: what it looks like, whether everybody can read it, what its script does, and
 * that nothing from outside runs in it. Screenshots go into the folder that HEARSAY_SCREENSHOTS names.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { PageSource } from "../../src/monitor/page_source.ts";
import { answerHttp } from "../../src/web/http_server.ts";
import { denoWorld } from "../../src/world/deno.ts";
import {
  BUSY,
  BUSY_SHOWN,
  caught,
  CONFIG,
  daemonPageOf,
  EMPTY,
  FROZEN,
  logStatus,
  openIn,
  peerStatus,
  recordOf,
  sourceOf,
  statusOf,
} from "../web/page_statuses.ts";
import { browserTest } from "./browser.ts";

const SCREENSHOTS = Deno.env.get("HEARSAY_SCREENSHOTS");

/** A page that is served; what it shows can be changed. */
class Served implements AsyncDisposable {
  readonly #server;

  constructor(public source: PageSource) {
    const page: PageSource = {
      status: () => this.source.status(),
      shown: (log) => this.source.shown(log),
      cases: () => this.source.cases(),
      config: CONFIG,
    };
    const hostname = "127.0.0.1";
    this.#server = denoWorld().http.serve(
      { hostname, port: 0 },
      (query) => answerHttp(query, { hostname, ...daemonPageOf(page) }),
      () => {},
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

/** Each kind of page. */
async function pages(): Promise<Record<string, readonly [PageSource, string]>> {
  const records = [await recordOf(), await recordOf({ kind: "cross_size" })];
  const { page: frozen } = await caught({
    fields: { ...(FROZEN.alerts && { alerts: FROZEN.alerts }), peers: [], isUncompared: true },
  });
  const { page: closed, runbook, record } = await caught({ state: "CLOSED" });
  openIn(runbook, { cause: "signature failure", log: record.log });
  const many = Array.from(
    { length: 10_000 },
    (_, i) => logStatus({ origin: `log.example.com/${i}`, vkey: `log.example.com/${i}+1+AA` }),
  );
  return {
    empty: [sourceOf(EMPTY), "/"],
    well: [sourceOf(statusOf()), "/"],
    busy: [sourceOf(BUSY, { records, shown: BUSY_SHOWN }), "/"],
    incident: [frozen, "/incidents/INC-2026-001"],
    frozen: [frozen, "/"],
    case: [sourceOf(BUSY, { records }), "/incidents/2"],
    closed: [closed, "/incidents/INC-2026-001"],
    suspicion: [closed, "/incidents/INC-2026-002"],
    many: [sourceOf(statusOf({ logs: many })), "/"],
  };
}

for (
  const kind of [
    "empty",
    "well",
    "busy",
    "frozen",
    "incident",
    "case",
    "closed",
    "suspicion",
    "many",
  ]
) {
  browserTest(
    `page: ${kind}, wide and on a phone, light and dark, is for everybody`,
    async (browser) => {
      const [source, path] = (await pages())[kind]!;
      await using served = new Served(source);
      for (const scheme of ["light", "dark"] as const) {
        for (const [size, width] of [["wide", 1200], ["phone", 360]] as const) {
          const name = `${kind}-${size}-${scheme}`;
          await browser.open({ url: served.url + path, width, scheme });
          if (SCREENSHOTS !== undefined) {
            await browser.tell("screenshot", { path: `${SCREENSHOTS}/${name}.png` });
          }
          assertEquals(await browser.tell("axe"), [], name);
          assertEquals(await browser.tell("problems"), [], name);
          assert(
            (await browser.tell("overflow") as number) <= 0,
            `${name} is wider than its window`,
          );
        }
      }
    },
  );
}

browserTest("page: it is complete without its script", async (browser) => {
  const [source] = (await pages()).busy!;
  await using served = new Served(source);
  await browser.open({ url: served.url, script: false });
  assertMatch(await browser.text("#standing"), /1 proven case/);
  assertMatch(await browser.text("#logs"), /sum\.example\.org/);
  assertMatch(await browser.text("footer"), /Load it again/);
  assertEquals(await browser.tell("visible", { selector: "#pause" }), false);
  await browser.open({ url: `${served.url}/incidents/1`, script: false });
  assertMatch(await browser.text("#command-verify"), /^hearsay verify ~\/case-1\.txt --log /);
  assertEquals(await browser.tell("visible", { selector: "#todo button" }), false);
});

browserTest(
  "page: it shows what is new by itself, unless somebody is there or has stopped it",
  async (browser) => {
    await using served = new Served(sourceOf(statusOf()));
    await browser.open({ url: served.url });
    assertMatch(await browser.text("#standing"), /Nothing is wrong/);
    await browser.tell("click", { selector: "#seen-0-table summary" });
    served.source = sourceOf(BUSY, { records: [await recordOf()], shown: BUSY_SHOWN });
    await browser.tell("waitFor", { text: "Case 1" });
    assertMatch(await browser.text("#standing"), /1 proven case/);
    assertMatch(await browser.text("#news"), /1 proven case/);
    const order = await browser.tell("run", {
      code: `[...document.querySelectorAll("main > section")].map(({ id }) => id).join()`,
    });
    assertEquals(order, "standing,incidents,wrong,logs,seen,witnesses,peers,mirrors");
    assertEquals(await browser.tell("focused"), "The same as a table for log.example.com/one");
    await browser.tell("click", { selector: "#pause" });
    served.source = sourceOf(statusOf());
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    assertMatch(await browser.text("#standing"), /1 proven case/);
    await browser.tell("click", { selector: "#pause" });
    await browser.tell("waitFor", { text: "Nothing is wrong that this monitor can see" });
    assertEquals(await browser.tell("problems"), []);
  },
);

browserTest(
  "page: when the monitor does not answer any more, the page says that it is old",
  async (browser) => {
    {
      await using served = new Served(sourceOf(statusOf()));
      await browser.open({ url: served.url });
    }
    await browser.tell("waitFor", { text: "The monitor has not answered for" });
    assertMatch(await browser.text("#news"), /does not answer/);
    assertMatch(
      await browser.text("header"),
      /has not answered/,
      "it stands where one looks first",
    );
  },
);

browserTest(
  "page: a button copies the command, as it stands there, by keyboard too",
  async (browser) => {
    const [source, path] = (await pages()).incident!;
    await using served = new Served(source);
    await browser.open({ url: served.url + path });
    const command = await browser.text("#command-verify");
    await browser.tell("click", { selector: 'button[data-copies="command-verify"]' });
    await browser.tell("waitFor", { text: "Copied" });
    assertEquals(await browser.tell("clipboard"), command);
    await browser.tell("run", { code: `document.querySelector("#todo button").focus()` });
    await browser.tell("press", { key: "Enter" });
    await browser.tell("waitFor", { text: "Copied" });
    assertEquals(await browser.tell("clipboard"), await browser.text("#command-export"));
  },
);

browserTest("page: of ten thousand logs one is found by its name", async (browser) => {
  const [source, path] = (await pages()).many!;
  await using served = new Served(source);
  await browser.open({ url: served.url + path });
  await browser.tell("fill", { selector: "#find", text: "com/4321" });
  await browser.tell("press", { key: "Enter" });
  await browser.tell("waitFor", { text: "1 log of 10,000 with this text" });
  assertEquals(await browser.tell("url"), `${served.url}/?find=com%2F4321`);
});

browserTest("page: nothing from outside runs, and the policy would stop it", async (browser) => {
  const hostile = `"><img src=x onerror=alert(1)><script>alert(2)</script>`;
  const status = statusOf({
    name: hostile,
    logs: [logStatus({ origin: hostile })],
    peers: [peerStatus({ address: hostile, failing: hostile })],
  });
  await using served = new Served(sourceOf(status));
  await browser.open({ url: served.url });
  assertEquals(await browser.tell("problems"), []);
  assertEquals(await browser.tell("run", { code: `document.querySelectorAll("img").length` }), 0);
  // As if a value had got in unescaped.
  await browser.tell("run", {
    code: `(() => {
      const script = document.createElement("script");
      try { script.text = "document.title = 'owned'"; document.body.append(script); } catch {}
      try { document.body.innerHTML = "<img src=x onerror=\\"document.title = 'owned'\\">"; } catch {}
    })()`,
  });
  assert(await browser.tell("run", { code: "document.title" }) !== "owned");
});
