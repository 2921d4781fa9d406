/** Of several sites that know a case, one tells the operator. */
import { assertEquals } from "@std/assert";
import { type Alert, parseAlert } from "../../src/response/alert.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { SECRET } from "../response/receiver.ts";
import { type Host, HOUR, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { Sites } from "./sites.ts";

const SECOND = 1_000;

/** Takes the alerts of all sites. */
class Operator {
  /** What arrived, and from which site. */
  readonly taken: { readonly site: number; readonly alert: Alert }[] = [];
  /** The sites of which nothing arrives. */
  readonly unreachable = new Set<number>();

  /** Has a site bring its alerts here. */
  hear(host: Host, site: number): void {
    host.disk.put("hook.secret", SECRET);
    host.http = {
      ...denoWorld().http,
      lookup: () => Promise.resolve(["203.0.113.7"]),
      request: ({ content = new Uint8Array(0) }) => {
        if (this.unreachable.has(site)) {
          return Promise.reject(new WorldError("other", "the network is unreachable"));
        }
        this.taken.push({ site, alert: parseAlert(new TextDecoder().decode(content)) });
        return Promise.resolve({ status: 204, header: () => undefined, body: new Uint8Array(0) });
      },
    };
  }

  /** The proven cases that were told, in order. */
  get cases(): string[] {
    return this.taken.filter(({ alert }) => alert.level === "EMERGENCY")
      .map(({ alert }) => `${alert.state} ${alert.case}`);
  }
}

const ALERTS = {
  channels: [{
    ...{ name: "hook", least: "INFO", kind: "webhook" } as const,
    webhook: { url: "https://hooks.example.com/alerts", secret: "hook.secret" },
  }],
  allow: [],
};

/** Three sites that follow one log, and what contradicts it. */
async function watching(
  { alertsOf = () => ALERTS }: { alertsOf?: (site: number) => typeof ALERTS } = {},
) {
  const sites = await Sites.make(3);
  const operator = new Operator();
  const log = grow(await logAt(), 4);
  const theirs = grow(log.fork(), 20, "theirs");
  grow(log, 20);
  for (const [number, host] of sites.hosts.entries()) {
    operator.hear(host, number);
    await sites.start(number, [new ScriptedSource(log, 8)], { alerts: alertsOf(number) });
  }
  await sites.pass(2 * MINUTE);
  const split = (size: number) => checkpointOf(theirs, size);
  return { sites, operator, split };
}

Deno.test("sharing: a case that three sites record is one alert, and its repeats one sum", async () => {
  const { sites, operator, split } = await watching();
  await using _sites = sites;
  const { frame } = await split(8);
  await sites.hosts[1]!.hear([frame]);
  await sites.pass(MINUTE);
  const cases = await Promise.all(sites.hosts.map((host) => host.cases()));
  assertEquals(cases.map(({ length }) => length), [1, 1, 1]);
  const about = `equivocation ${cases[0]![0]}`;
  assertEquals(operator.cases, [`begins ${about}`]);
  for (const host of sites.hosts) await host.hear([frame, frame]);
  await sites.hosts[0]!.pass(3 * HOUR);
  const told = operator.taken.filter(({ alert }) => alert.case === about);
  assertEquals(told.map(({ alert: { state } }) => state), ["begins", "summary"]);
  assertEquals(told[0]!.site, told[1]!.site);
  for (const host of sites.hosts) {
    assertEquals(host.daemon!.status().alerts!.channels[0]!.waiting, 0);
  }
});

Deno.test("sharing: if the site that has claimed a case cannot tell it, another one does", async () => {
  const { sites, operator, split } = await watching();
  await using _sites = sites;
  operator.unreachable.add(1);
  operator.unreachable.add(0);
  await sites.hosts[1]!.hear([(await split(8)).frame]);
  await sites.pass(MINUTE);
  assertEquals(operator.cases.length, 1);
  // However often the others try, it was told in time.
  await sites.pass(10 * MINUTE);
  operator.unreachable.clear();
  await sites.hosts[0]!.pass(3 * HOUR);
  assertEquals(operator.cases.length, 1);
});

Deno.test("sharing: channels of one name that lead elsewhere are told of a case each", async () => {
  const [channel] = ALERTS.channels;
  // At one host, but another team's.
  const webhook = { url: "https://hooks.example.com/others", secret: "hook.secret" };
  const others = { ...ALERTS, channels: [{ ...channel!, webhook }] };
  const { sites, operator, split } = await watching({
    alertsOf: (site) => site === 2 ? others : ALERTS,
  });
  await using _sites = sites;
  await sites.hosts[1]!.hear([(await split(8)).frame]);
  await sites.pass(2 * MINUTE);
  assertEquals(operator.cases.length, 2);
  const told = operator.taken.filter(({ alert }) => alert.level === "EMERGENCY");
  assertEquals(told.filter(({ site }) => site === 2).length, 1);
});

Deno.test("sharing: without the store each site tells a case itself, and nothing is lost", async () => {
  const { sites, operator, split } = await watching();
  await using _sites = sites;
  for (const host of sites.hosts) host.shared!.refuses = true;
  sites.server.breakConnections();
  await sites.pass(MINUTE);
  const { frame } = await split(8);
  for (const number of [0, 1]) await sites.hosts[number]!.hear([frame]);
  await sites.pass(MINUTE);
  assertEquals(operator.taken.filter(({ alert }) => alert.level === "EMERGENCY").length, 2);
  // The third one learns of it when the store is back. Nobody had told the store.
  for (const host of sites.hosts) host.shared!.refuses = false;
  await sites.pass(3 * MINUTE + 10 * SECOND);
  const cases = await Promise.all(sites.hosts.map((host) => host.cases()));
  assertEquals(cases.map(({ length }) => length), [1, 1, 1]);
});
