/**
 * Makes some fleets members of each other: who knows whom by address or by key alone, in how small a
 * room, mixed with plain peers or not, and who restarts in the midst of a handshake. These are drawn
 * from a separate stream and added last, so that other seeds stay the same.
 *
 * @module
 */
import { type Draw, drawFrom } from "./draw.ts";
import type { FleetPlan, Happening, MemberMalice, MemberPlan, MonitorPlan } from "./plan.ts";
import { REGIONS } from "./round_trips.ts";

/** Added to a seed to make a separate stream. */
const OF_ITS_OWN = 0xfe110;
/** The share of fleets that have members. Sessions cost time, so it is not all of them. */
const SHARE = 0.3;
/** A room in which everyone of a small fleet finds a seat. */
const AMPLE = 32;
/** Jumps of a clock by which statements stay fresh, or just do not, if ten minutes are allowed. */
const JUMPS_MS = [-240_000, 240_000, 590_000, 610_000, -610_000, 86_400_000];
/** Within this time of its start a monitor has called its members. */
const HANDSHAKE_MS = 2_000;

/** Adds members to a plan, if its seed draws that. */
export function withMembers(plan: FleetPlan): FleetPlan {
  const draw = drawFrom(plan.seed + OF_ITS_OWN * 2 ** 16);
  // A crowd is about strangers, and each of its frames is work.
  if (plan.crowd !== undefined || !draw.chance(SHARE)) return plan;
  const monitors = withLists(plan, draw);
  const honest = { ...plan, monitors, happenings: withHappenings(plan, draw) };
  return withRegions(draw.chance(0.5) ? withMalice(honest, draw) : honest, draw);
}

/** Some members are malicious. They are in the lists of most of the others. */
function withMalice(plan: FleetPlan, draw: Draw): FleetPlan {
  const drawn = draw.pick(MALICE);
  // Half of those that flood do so with cases that hold. It is not drawn, so that other seeds stay the same.
  const kind = drawn === "floods" && plan.seed % 2 === 0 ? "makes up cases" : drawn;
  const malice = kind === "accuses" || kind === "surrounds"
    ? Array.from({ length: draw.between(1, 2) }, () => kind)
    : draw.chance(0.3)
    ? [kind, draw.pick(MALICE)]
    : [kind];
  const first = plan.monitors.length + plan.troublemakers.length;
  const numbers = malice.map((_, i) => first + i);
  const monitors = plan.monitors.map(({ membership, ...monitor }): MonitorPlan => {
    const known = numbers.filter(() => draw.chance(0.9))
      .map((number) => ({ number, byKeyAlone: draw.chance(0.3) }));
    const members = draw.shuffled([...membership!.members, ...known]);
    // A room that is just large enough: whoever holds two seats leaves somebody without one.
    const room = malice.includes("surrounds") ? 2 * members.length : membership!.room;
    return { ...monitor, membership: { ...membership!, members, room: Math.max(2, room) } };
  });
  return { ...plan, monitors, maliciousMembers: malice };
}

const MALICE: readonly MemberMalice[] = [
  ...["talks garbage", "replays", "floods", "accuses", "accuses", "keeps silent"] as const,
  ...["two tongues", "two tongues", "surrounds", "copied", "wrong times"] as const,
];

/** Half of the fleets are spread over the world. */
function withRegions(plan: FleetPlan, draw: Draw): FleetPlan {
  const { monitors, troublemakers, maliciousMembers = [] } = plan;
  const count = monitors.length + troublemakers.length + maliciousMembers.length;
  const regions = Array.from({ length: count }, () => draw.below(REGIONS.length));
  return draw.chance(0.5) ? { ...plan, regions } : plan;
}

/** Pairs of which one calls the other become members of each other: all of them, or most. */
function withLists({ monitors }: FleetPlan, draw: Draw): MonitorPlan[] {
  const share = draw.pick([1, 1, 0.7]);
  const alone = draw.pick([0, 0.3, 0.6]);
  const lists: MemberPlan[][] = monitors.map(() => []);
  for (const [a, one] of monitors.entries()) {
    for (const [b, other] of monitors.slice(0, a).entries()) {
      const [calls, isCalled] = [one.peers.includes(b), other.peers.includes(a)];
      if (!calls && !isCalled) {
        // Both know the key alone. They meet if a third one tells where one of them is.
        if (!draw.chance(alone / 2)) continue;
        lists[a]!.push({ number: b, byKeyAlone: true });
        lists[b]!.push({ number: a, byKeyAlone: true });
        continue;
      }
      if (!draw.chance(share)) continue;
      const isAlone = draw.chance(alone);
      const first = draw.chance(0.5);
      lists[a]!.push({ number: b, byKeyAlone: !calls || (isCalled && isAlone && first) });
      // Now and then only one of the two has the other in its list.
      if (draw.chance(0.04)) continue;
      lists[b]!.push({ number: a, byKeyAlone: !isCalled || (calls && isAlone && !first) });
    }
  }
  const isSmall = monitors.length > 2 && draw.chance(0.25);
  const admits = draw.pick(["anyone", "members", "some"] as const);
  return monitors.map((monitor, i) => ({
    ...monitor,
    peers: monitor.peers.filter((peer) => !lists[i]!.some(({ number }) => number === peer)),
    membership: {
      members: draw.shuffled(lists[i]!),
      room: isSmall ? draw.pick([2, 2, 3]) : AMPLE,
      admit: admits === "some" ? draw.pick(["anyone", "members"]) : admits,
    },
  }));
}

/** What is hard on members: leaves, restarts during handshakes, clocks that differ. */
function withHappenings({ monitors, happenings, healsAt, isCalm }: FleetPlan, draw: Draw) {
  if (isCalm) return happenings;
  const more: Happening[] = [];
  const one = (): number => draw.below(monitors.length);
  if (draw.chance(0.4)) {
    const downMs = draw.pick([0, 5_000, 90_000]);
    more.push({ at: draw.below(healsAt), does: "stops", monitor: one(), downMs });
  }
  if (draw.chance(0.4)) {
    const monitor = one();
    const at = monitors[monitor]!.startsAt + draw.below(HANDSHAKE_MS);
    const does = draw.pick(["is killed", "stops"] as const);
    more.push({ at, does, monitor, downMs: draw.pick([0, 300, 5_000]) });
  }
  for (let times = draw.pick([0, 0, 1, 2]); times > 0; times--) {
    const ms = draw.pick(JUMPS_MS);
    more.push({ at: draw.below(healsAt), does: "clock jumps", monitor: one(), ms });
  }
  return [...happenings, ...more.filter(({ at }) => at < healsAt)].sort((a, b) => a.at - b.at);
}
