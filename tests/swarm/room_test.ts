/** With whom there are sessions, and whom to call. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  CROSSING_MS,
  type Direction,
  FIRST_BACK_OFF_MS,
  LONGEST_BACK_OFF_MS,
  MOST_CALLS,
  type NoSeat,
  Room,
  type Seat,
  STEADY_MS,
  UNHEALTHY_AFTER,
} from "../../src/swarm/room.ts";
import { MOST_JITTER } from "../../src/world/pacing.ts";
import type { Random } from "../../src/world/world.ts";

const ROTATE_MS = 3_600_000;
const MIDDLE = 2 ** 31;

/** Randomness of a simple generator, so that draws differ and a failure comes again. */
function seeded(seed: number): Random {
  let word = seed;
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      word = Math.imul(word, 1_664_525) + 1_013_904_223;
      new DataView(bytes.buffer).setUint32(0, word >>> 0);
      return bytes;
    },
  };
}

/** Randomness with which jitter changes nothing. */
const unjittered: Random = {
  bytes(count) {
    const bytes = new Uint8Array(count);
    new DataView(bytes.buffer).setUint32(0, MIDDLE);
    return bytes;
  },
};

const members = (count: number, prefix = "m"): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(3, "0")}`);

/** A room on a clock that the test sets. */
class Stage {
  now = 0;
  readonly room: Room;
  readonly noAddress = new Set<string>();

  constructor({ own = "k", others, size = 8, anchors = 0, remembered = [], random = unjittered }: {
    own?: string;
    others: readonly string[];
    size?: number;
    anchors?: number;
    remembered?: readonly string[];
    random?: Random;
  }) {
    this.room = new Room({
      own,
      members: others,
      room: size,
      anchors,
      remembered,
      rotateMs: ROTATE_MS,
      hasAddress: (member) => !this.noAddress.has(member),
      clock: { monotonic: () => this.now },
      random,
    });
  }

  /** Admits a session that must get a seat. */
  seat(member: string, direction: Direction): Seat {
    const admission = this.room.admit(member, direction);
    assert("seat" in admission, `${member}: ${JSON.stringify(admission)}`);
    return admission.seat;
  }

  refusal(member: string, direction: Direction): NoSeat | undefined {
    const before = this.room.mayAdmit(member, direction);
    const admission = this.room.admit(member, direction);
    const refusal = "refusal" in admission ? admission.refusal : undefined;
    assertEquals(refusal, before, "what is asked first is what happens");
    return refusal;
  }

  /** Calls all that are to be called, each of which takes the call, until there is nobody to call. */
  callAll(): void {
    for (let due; (due = this.room.toCall()).length > 0;) {
      for (const member of due) this.seat(member, "outbound");
    }
  }

  called(direction: Direction): string[] {
    return this.room.seats.filter((seat) => seat.direction === direction)
      .map(({ member }) => member);
  }
}

Deno.test("room: only members get a seat, and we are none of them", () => {
  const { room } = new Stage({ others: ["k", "m"] });
  assertEquals(room.mayAdmit("stranger", "inbound"), "unknown");
  assertEquals(room.mayAdmit("k", "inbound"), "unknown");
  assertEquals(room.mayAdmit("m", "inbound"), undefined);
  assertEquals(room.toCall(), ["m"]);
});

Deno.test("room: callers take half of the seats at most, and the last free one", () => {
  for (const [size, callers] of [[1, 0], [2, 1], [3, 1], [4, 2], [5, 2], [32, 16]] as const) {
    const others = members(40);
    const stage = new Stage({ others, size });
    const let_in = others.filter((member) => stage.refusal(member, "inbound") === undefined);
    assertEquals(let_in, others.slice(0, callers), `of ${size}`);
    assertEquals(stage.room.free, size - callers);
    stage.callAll();
    assertEquals(stage.called("outbound").length, size - callers);
    assertEquals(stage.room.free, 0);
    assertEquals(stage.room.toCall(), []);
    assertEquals(stage.room.mayAdmit(others.at(-1)!, "outbound"), "full");
  }
});

Deno.test("room: our calls may take every free seat, and a call under way takes one", () => {
  const stage = new Stage({ others: members(9), size: 4 });
  const due = stage.room.toCall();
  assertEquals(due.length, 4);
  assertEquals(stage.room.free, 0);
  const other = members(9).find((member) => !due.includes(member))!;
  assertEquals(stage.room.mayAdmit(other, "inbound"), "full");
  assertEquals(stage.room.mayAdmit(due[0]!, "inbound"), undefined, "its own call is no obstacle");
  stage.room.failed(due[0]!);
  assertEquals(stage.room.mayAdmit(other, "inbound"), undefined);
  for (const member of due.slice(1)) stage.seat(member, "outbound");
  assertEquals(stage.room.free, 1);
});

Deno.test("room: a seat is freed once, however often its end is told", () => {
  const stage = new Stage({ others: members(4), size: 4 });
  const [one, other] = [stage.seat("m000", "inbound"), stage.seat("m001", "inbound")];
  assertEquals(stage.room.mayAdmit("m002", "inbound"), "full");
  stage.room.left(one);
  stage.room.left(one);
  assertEquals(stage.room.free, 3);
  const again = stage.seat("m000", "inbound");
  stage.room.left(one);
  assertEquals(stage.room.seats, [other, again]);
  assertEquals(stage.room.mayAdmit("m002", "inbound"), "full");
});

Deno.test("room: one member has one seat, however often it calls", () => {
  const stage = new Stage({ others: members(9), size: 8 });
  let last: Seat | undefined;
  for (let i = 0; i < 1_000; i++) {
    stage.now += 10;
    const admission = stage.room.admit("m003", "inbound");
    assert("seat" in admission);
    assertEquals(admission.replaces, last, "the older session is to be closed");
    if (last !== undefined) stage.room.left(last);
    last = admission.seat;
    assertEquals(stage.room.seats, [last]);
  }
  assertEquals(stage.room.free, 7);
});

Deno.test("room: of two sessions that crossed, the one called by the smaller vkey is kept", () => {
  for (const own of ["a", "z"]) {
    for (const first of ["inbound", "outbound"] as const) {
      const second = first === "inbound" ? "outbound" : "inbound";
      const kept = own === "a" ? "outbound" : "inbound";
      const stage = new Stage({ own, others: ["m"] });
      const seat = stage.seat("m", first);
      stage.now = CROSSING_MS;
      const admission = stage.room.admit("m", second);
      if (kept === first) assertEquals(admission, { refusal: "seated" });
      else assert("seat" in admission && admission.replaces === seat);
      assertEquals(stage.room.seats.map(({ direction }) => direction), [kept]);
    }
  }
});

Deno.test("room: a session too old to have crossed gives way: who calls again has lost it", () => {
  for (const own of ["a", "z"]) {
    const stage = new Stage({ own, others: ["m"] });
    const seat = stage.seat("m", own === "a" ? "outbound" : "inbound");
    stage.now = CROSSING_MS + 1;
    const admission = stage.room.admit("m", own === "a" ? "inbound" : "outbound");
    assert("seat" in admission && admission.replaces === seat);
  }
});

Deno.test("room: a caller cannot leave its place among our calls for one of the callers' if full", () => {
  const stage = new Stage({ others: members(9), size: 4 });
  stage.seat("m000", "outbound");
  stage.seat("m001", "inbound");
  stage.seat("m002", "inbound");
  stage.now = CROSSING_MS + 1;
  assertEquals(stage.refusal("m000", "inbound"), "full");
  assertEquals(stage.called("outbound"), ["m000"]);
});

/** One end of two members that call each other. */
interface End {
  readonly stage: Stage;
  readonly other: string;
  readonly seats: Map<number, Seat>;
}

Deno.test("room: both ends keep the same one of two sessions, in whatever order things happen", () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.boolean(),
      fc.boolean(),
      (draws, ...full) => {
        const ends = ["a", "b"].map((own, i): End => {
          const other = own === "a" ? "b" : "a";
          const stage = new Stage({ own, others: [other, "x"], size: 2 });
          if (full[i]) stage.seat("x", "inbound");
          return { stage, other, seats: new Map() };
        });
        const mail: { session: number; run: () => void }[] = [];
        const close = (at: number, session: number): void => {
          // The other end learns that the session ended.
          const { stage, seats } = ends[1 - at]!;
          mail.push({
            session,
            run: () => {
              const seat = seats.get(session);
              if (seat !== undefined) stage.room.left(seat);
            },
          });
        };
        const admitted = (at: number, session: number, direction: Direction): boolean => {
          const { stage, other, seats } = ends[at]!;
          const admission = stage.room.admit(other, direction);
          if ("refusal" in admission) return false;
          seats.set(session, admission.seat);
          for (const [old, seat] of seats) if (seat === admission.replaces) close(at, old);
          return true;
        };
        // Session 0 is called by a, session 1 by b.
        for (const caller of [0, 1]) {
          assertEquals(ends[caller]!.stage.room.toCall().includes(ends[caller]!.other), true);
          const answer = (isTaken: boolean) => () => {
            if (!isTaken) ends[caller]!.stage.room.refused(ends[caller]!.other);
            else if (!admitted(caller, caller, "outbound")) close(caller, caller);
          };
          const call = (): void => {
            const isTaken = admitted(1 - caller, caller, "inbound");
            // What is sent in a session arrives in its order.
            mail.push({ session: caller, run: answer(isTaken) });
          };
          mail.push({ session: caller, run: call });
        }
        for (let i = 0; mail.length > 0; i++) {
          const session = (draws[i] ?? 0) % 2;
          const found = mail.findIndex((one) => one.session === session);
          mail.splice(Math.max(0, found), 1)[0]!.run();
        }
        const kept = ends.map(({ stage, other, seats }) =>
          [...seats].filter(([, seat]) => stage.room.seats.includes(seat) && seat.member === other)
            .map(([session]) => session)
        );
        assertEquals(kept[0], kept[1], "both ends have the same");
        // Each room has one seat for callers. If x has it, the other end cannot call there.
        const wanted = full[0] && full[1] ? 0 : 1;
        assertEquals(kept[0]!.length, wanted);
        outcomes.set(`${full} ${kept[0]}`, 1 + (outcomes.get(`${full} ${kept[0]}`) ?? 0));
      },
    ),
    { numRuns: 1_000 },
  );
  const seen = [...outcomes.keys()].toSorted();
  assert(seen.includes("false,false 0") && seen.includes("true,true "), seen.join("; "));
});

Deno.test("room: it calls a few at a time, and nobody twice", () => {
  const stage = new Stage({ others: members(20), size: 20 });
  const first = stage.room.toCall();
  assertEquals(first.length, MOST_CALLS);
  assertEquals(stage.room.toCall(), []);
  assertEquals(stage.room.nextAt(), undefined, "the end of a call is told");
  stage.seat(first[0]!, "outbound");
  const [next, ...more] = stage.room.toCall();
  assertEquals(more, []);
  assert(next !== undefined && !first.includes(next));
});

Deno.test("room: whom it calls first is drawn at random", () => {
  const others = members(10);
  const firsts = new Map<string, number>();
  for (let seed = 1; seed <= 1_000; seed++) {
    const [first] = new Stage({ others, random: seeded(seed * 7_919) }).room.toCall();
    firsts.set(first!, (firsts.get(first!) ?? 0) + 1);
  }
  assertEquals([...firsts.keys()].toSorted(), others);
  for (const [member, times] of firsts) assert(times > 50 && times < 150, `${member}: ${times}`);
});

Deno.test("room: who has no address is called when it has one", () => {
  const stage = new Stage({ others: ["m", "n"] });
  stage.noAddress.add("m");
  assertEquals(stage.room.toCall(), ["n"]);
  assertEquals(stage.room.standing("m")?.mayCallAt, undefined);
  stage.noAddress.delete("m");
  assertEquals(stage.room.standing("m")?.mayCallAt, 0);
  assertEquals(stage.room.toCall(), ["m"]);
});

/** Fails every call to the one member; gives the waits before each. */
function waits(stage: Stage, { times, end }: { times: number; end(): void }): number[] {
  return Array.from({ length: times }, () => {
    assertEquals(stage.room.toCall(), ["m"]);
    end();
    assertEquals(stage.room.toCall(), []);
    const wait = stage.room.nextAt()! - stage.now;
    stage.now += wait - 1;
    assertEquals(stage.room.toCall(), [], "not before its time");
    stage.now += 1;
    return wait;
  });
}

Deno.test("room: a member out of reach is called ever less often, and never forgotten", () => {
  const stage = new Stage({ others: ["m"] });
  const got = waits(stage, { times: 200, end: () => stage.room.failed("m") });
  const doubled = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((s) => s * FIRST_BACK_OFF_MS);
  assertEquals(got.slice(0, 10), doubled);
  assertEquals(new Set(got.slice(10)), new Set([LONGEST_BACK_OFF_MS]));
  assertEquals(stage.room.standing("m")?.failures, 200);
});

Deno.test("room: waits are jittered", () => {
  const stage = new Stage({ others: ["m"], random: seeded(7) });
  const got = waits(stage, { times: 40, end: () => stage.room.failed("m") }).slice(10);
  assert(new Set(got).size > 10);
  assert(got.every((ms) => ms >= 0.8 * LONGEST_BACK_OFF_MS));
  assert(got.every((ms) => ms <= MOST_JITTER * LONGEST_BACK_OFF_MS + 1));
});

Deno.test("room: three failures in a row make a member unhealthy, and others are called before it", () => {
  const stage = new Stage({ others: ["m", "n"], size: 2 });
  for (let i = 1; i <= UNHEALTHY_AFTER; i++) {
    assertEquals(stage.room.standing("m")?.isHealthy, true, `before failure ${i}`);
    stage.room.failed("m");
  }
  assertEquals(stage.room.standing("m")?.isHealthy, false);
  stage.now += LONGEST_BACK_OFF_MS;
  assertEquals(stage.room.toCall(), ["n", "m"]);
  stage.room.refused("m");
  assertEquals(stage.room.standing("m")?.isHealthy, true, "it answered");
  for (let i = 0; i < UNHEALTHY_AFTER; i++) stage.room.failed("m");
  stage.seat("m", "inbound");
  assertEquals(stage.room.standing("m")?.isHealthy, true, "it called");
});

Deno.test("room: refusals make nobody unhealthy, but it is called less often", () => {
  const stage = new Stage({ others: ["m"] });
  const got = waits(stage, { times: 12, end: () => stage.room.refused("m") });
  assertEquals([got[0], got[4], got[11]], [1_000, 16_000, LONGEST_BACK_OFF_MS]);
  assertEquals(stage.room.standing("m")?.isHealthy, true);
});

Deno.test("room: a call that fails while the member calls us is no failure", () => {
  const stage = new Stage({ others: ["m"] });
  assertEquals(stage.room.toCall(), ["m"]);
  stage.seat("m", "inbound");
  stage.room.failed("m");
  assertEquals(stage.room.standing("m")?.failures, 0);
  assertEquals(stage.room.standing("m")?.isCalling, false);
  assertEquals(stage.room.free, 7);
});

Deno.test("room: a call that is refused because the member calls us was not in vain", () => {
  const stage = new Stage({ others: ["m"] });
  assertEquals(stage.room.toCall(), ["m"]);
  const seat = stage.seat("m", "inbound");
  stage.room.refused("m");
  stage.room.left(seat);
  assertEquals(stage.room.nextAt(), FIRST_BACK_OFF_MS);
});

Deno.test("room: sessions that end at once are begun ever less often, a steady one soon again", () => {
  const stage = new Stage({ others: ["m"] });
  const lasting = (ms: number) => () => {
    const seat = stage.seat("m", "outbound");
    stage.now += ms;
    stage.room.left(seat);
  };
  const got = waits(stage, { times: 4, end: lasting(STEADY_MS - 1) });
  assertEquals(got, [1_000, 2_000, 4_000, 8_000]);
  assertEquals(waits(stage, { times: 2, end: lasting(STEADY_MS) }), [1_000, 1_000]);
});

Deno.test("room: who is held off is not called, and calls us when it likes", () => {
  for (const isFirst of [true, false]) {
    const stage = new Stage({ others: ["m"] });
    const seat = stage.seat("m", "outbound");
    stage.now = STEADY_MS;
    if (isFirst) stage.room.holdOff("m", 5_000);
    stage.room.left(seat);
    if (!isFirst) stage.room.holdOff("m", 5_000);
    assertEquals(stage.room.nextAt(), STEADY_MS + 5_000);
    stage.room.left(stage.seat("m", "inbound"));
    assertEquals(stage.room.nextAt(), STEADY_MS + 2_000, "its own call ends that");
  }
});

Deno.test("room: anchors are called first, and are those that we kept for longest", () => {
  const others = members(30);
  const stage = new Stage({
    others,
    size: 16,
    anchors: 4,
    remembered: ["m029", "gone", "m017", "m005", "m011"],
    random: seeded(3),
  });
  assertEquals(stage.room.anchors(), ["m029", "m017", "m005", "m011"], "a short run loses none");
  const first = stage.room.toCall();
  assertEquals(first.toSorted(), ["m005", "m011", "m017", "m029"]);
  stage.room.failed("m029");
  for (const member of ["m011", "m017", "m005"]) {
    stage.now += 1;
    stage.seat(member, "outbound");
  }
  assertEquals(stage.room.anchors(), ["m011", "m017", "m005", "m029"]);
  stage.seat("m001", "inbound");
  stage.now += 1;
  const later = stage.seat("m002", "outbound");
  assertEquals(stage.room.anchors(), ["m011", "m017", "m005", "m002"], "no caller is an anchor");
  stage.room.left(later);
  assertEquals(stage.room.anchors(), ["m011", "m017", "m005", "m029"]);
});

Deno.test("room: anchors are half of the seats for our calls at most", () => {
  for (const [size, most] of [[1, 0], [2, 0], [3, 1], [6, 1], [7, 2], [16, 4], [64, 4]] as const) {
    const remembered = members(9);
    const { room } = new Stage({ others: members(9), size, anchors: 4, remembered });
    assertEquals(room.anchors().length, most, `of ${size}`);
  }
});

Deno.test("room: in each turn one member that is no anchor gives way to another", () => {
  const others = members(40);
  const stage = new Stage({ others, size: 8, anchors: 2, random: seeded(11) });
  for (const member of others.slice(0, 4)) stage.seat(member, "inbound");
  for (const member of others.slice(4, 8)) {
    stage.now += 1;
    stage.seat(member, "outbound");
  }
  const unreachable = others.slice(30);
  for (const member of unreachable) stage.noAddress.add(member);
  const anchors = ["m004", "m005"];
  assertEquals(stage.room.anchors(), anchors);
  assertEquals(stage.room.rotate(), undefined, "it is not the time");
  const left = new Set<string>();
  const came = new Set<string>();
  for (let turn = 0; turn < 400; turn++) {
    const due = stage.room.nextAt()!;
    assert(due > stage.now && due <= stage.now + MOST_JITTER * ROTATE_MS + 1);
    stage.now = due;
    const turned = stage.room.rotate();
    assert(turned !== undefined);
    assertEquals(stage.room.rotate(), undefined, "one a turn");
    assertEquals([stage.room.free, stage.room.seats.length], [0, 7]);
    stage.room.left(turned.leaves);
    stage.seat(turned.calls, "outbound");
    left.add(turned.leaves.member);
    came.add(turned.calls);
  }
  assertEquals(stage.room.anchors(), anchors);
  assertEquals([...came].toSorted(), others.slice(6, 30), "in time, all others");
  assertEquals([...left].toSorted(), others.slice(6, 30));
  assertEquals(stage.called("inbound"), others.slice(0, 4), "no caller gives way");
});

Deno.test("room: nobody gives way while a seat is free, or for members out of reach", () => {
  const stage = new Stage({ others: members(4), size: 3 });
  stage.seat("m000", "outbound");
  stage.seat("m001", "outbound");
  stage.now = ROTATE_MS;
  assertEquals(stage.room.rotate(), undefined, "a seat is free");
  stage.seat("m002", "outbound");
  for (let i = 0; i < UNHEALTHY_AFTER; i++) stage.room.failed("m003");
  stage.now = 2 * ROTATE_MS;
  assertEquals(stage.room.rotate(), undefined, "the only other one is out of reach");
  stage.room.refused("m003");
  stage.now = 3 * ROTATE_MS + LONGEST_BACK_OFF_MS;
  assertEquals(stage.room.rotate()?.calls, "m003");
});

Deno.test("room: a full room goes on as soon as one leaves", () => {
  const others = members(6);
  const stage = new Stage({ others, size: 4 });
  stage.callAll();
  assertEquals(stage.room.free, 0);
  for (const direction of ["inbound", "outbound"] as const) {
    const other = others.find((member) => !stage.called("outbound").includes(member))!;
    assertEquals(stage.refusal(other, direction), "full");
  }
  stage.room.left(stage.room.seats[0]!);
  assertEquals(stage.room.toCall().length, 1);
});

Deno.test("room: an eclipse attempt leaves the seats of our own calls to members drawn at random", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const attackers = members(20, "evil");
    const honest = members(20, "good");
    const stage = new Stage({
      others: [...attackers, ...honest],
      size: 32,
      random: seeded(seed),
    });
    // All attackers call, again and again, from as many addresses as they like. Nobody honest does.
    for (let i = 0; i < 10; i++) {
      for (const attacker of attackers) stage.room.admit(attacker, "inbound");
      stage.now += 1_000;
    }
    assertEquals(stage.called("inbound").length, 16);
    stage.callAll();
    const good = stage.called("outbound").filter((member) => honest.includes(member));
    assert(good.length >= 12, `seed ${seed}: only ${good.length} of 16 are honest`);
    // Attackers that hang up and call again gain nothing.
    for (const seat of stage.room.seats) {
      if (attackers.includes(seat.member)) stage.room.left(seat);
    }
    for (const attacker of attackers) stage.room.admit(attacker, "inbound");
    assertEquals(stage.called("inbound").length, 16);
    const after = stage.called("outbound").filter((member) => honest.includes(member));
    assertEquals(after, good);
  }
});

Deno.test("room: who is no member any more is to be closed, and counts until it is", () => {
  const stage = new Stage({ others: ["m", "n", "o"], size: 4 });
  const seat = stage.seat("m", "outbound");
  stage.seat("n", "inbound");
  const [calling] = stage.room.toCall();
  assertEquals(calling, "o");
  assertEquals(stage.room.change({ members: ["n", "p"], room: 4 }), [seat]);
  assertEquals(stage.room.free, 1);
  assertEquals(stage.room.standing("m"), undefined);
  stage.room.left(seat);
  assertEquals(stage.room.admit("o", "outbound"), { refusal: "unknown" });
  assertEquals(stage.room.free, 3);
  assertEquals(stage.room.toCall(), ["p"]);
});

Deno.test("room: with fewer seats nobody is put out, and nobody comes in until some have left", () => {
  const stage = new Stage({ others: members(9), size: 8 });
  const seats = members(6).map((member) => stage.seat(member, "outbound"));
  assertEquals(stage.room.change({ members: members(9), room: 4 }), []);
  assertEquals(stage.room.free, 0);
  for (const seat of seats.slice(0, 2)) {
    assertEquals(stage.room.mayAdmit("m008", "inbound"), "full");
    stage.room.left(seat);
  }
  assertEquals(stage.room.mayAdmit("m008", "inbound"), "full");
  stage.room.left(seats[2]!);
  assertEquals(stage.room.mayAdmit("m008", "inbound"), undefined);
});

/** What a person would keep on paper: a list of sessions and a list of calls. */
interface Paper {
  readonly own: string;
  size: number;
  /** The most seats there were since the calls that are under way began. */
  largest: number;
  members: string[];
  sessions: Seat[];
  calls: string[];
  /** All seats that ever were, to be told again. */
  readonly ever: Seat[];
}

const others = members(7);

/** Why paper says there is no seat. */
function refusalOnPaper(
  paper: Paper,
  { member, direction, now }: { member: string; direction: Direction; now: number },
): NoSeat | undefined {
  if (!paper.members.includes(member)) return "unknown";
  const old = paper.sessions.find((session) => session.member === member);
  if (old !== undefined && old.direction !== direction && now - old.since <= CROSSING_MS) {
    const caller = direction === "outbound" ? paper.own : member;
    const smaller = [paper.own, member].toSorted()[0];
    if (caller !== smaller) return "seated";
  }
  const rest = paper.sessions.filter((session) => session !== old);
  const calls = paper.calls.filter((call) =>
    call !== member && !rest.some((session) => session.member === call)
  );
  if (rest.length + calls.length + 1 > paper.size) return "full";
  const inbound = rest.filter((session) => session.direction === "inbound").length;
  return direction === "inbound" && inbound + 1 > Math.floor(paper.size / 2) ? "full" : undefined;
}

type Step = fc.Command<Paper, Stage>;

/** A step that is always possible. */
function step(name: string, run: (paper: Paper, stage: Stage) => void): Step {
  return {
    check: () => true,
    run: (paper, stage) => {
      run(paper, stage);
      assertEquals(new Set(stage.room.seats), new Set(paper.sessions));
      const taken = new Set([...paper.sessions.map(({ member }) => member), ...paper.calls]);
      assertEquals(stage.room.free, Math.max(0, paper.size - taken.size));
      assertEquals(new Set(paper.sessions.map(({ member }) => member)).size, paper.sessions.length);
      for (const member of others) {
        assertEquals(
          stage.room.standing(member)?.isCalling,
          paper.members.includes(member) ? paper.calls.includes(member) : undefined,
        );
      }
    },
    toString: () => name,
  };
}

function admitting(member: string, direction: Direction): Step {
  return step(`admit ${member} ${direction}`, (paper, stage) => {
    const wanted = refusalOnPaper(paper, { member, direction, now: stage.now });
    const wasCalled = paper.calls.includes(member) && paper.members.includes(member);
    const admission = stage.room.admit(member, direction);
    assertEquals("refusal" in admission ? admission.refusal : undefined, wanted);
    if (direction === "outbound") {
      const isShrunk = paper.size < paper.largest;
      assert(!wasCalled || isShrunk || wanted !== "full", "a seat is kept for each call");
      paper.calls = paper.calls.filter((call) => call !== member);
    }
    if (!("seat" in admission)) return;
    assertEquals(admission.replaces, paper.sessions.find((one) => one.member === member));
    paper.sessions = paper.sessions.filter((one) => one.member !== member);
    paper.sessions.push(admission.seat);
    paper.ever.push(admission.seat);
  });
}

function calling(): Step {
  return step("call", (paper, stage) => {
    const due = stage.room.toCall();
    const busy = [...paper.calls, ...paper.sessions.map(({ member }) => member)];
    assert(due.every((member) => paper.members.includes(member) && !busy.includes(member)));
    assertEquals(new Set(due).size, due.length);
    assert(new Set([...busy, ...due]).size <= Math.max(paper.size, new Set(busy).size));
    paper.calls.push(...due);
    assert(due.length === 0 || paper.calls.length <= MOST_CALLS);
  });
}

function rotating(): Step {
  return step("rotate", (paper, stage) => {
    const turned = stage.room.rotate();
    if (turned === undefined) return;
    assertEquals(turned.leaves.direction, "outbound");
    paper.sessions = paper.sessions.filter((one) => one !== turned.leaves);
    paper.calls.push(turned.calls);
  });
}

function ending(name: "failed" | "refused", member: string): Step {
  return step(`${name} ${member}`, (paper, stage) => {
    stage.room[name](member);
    paper.calls = paper.calls.filter((call) => call !== member);
  });
}

function leaving(at: number): Step {
  return step(`left ${at}`, (paper, stage) => {
    const seat = paper.ever[at % Math.max(1, paper.ever.length)];
    if (seat === undefined) return;
    stage.room.left(seat);
    paper.sessions = paper.sessions.filter((one) => one !== seat);
  });
}

function changing(left: string[], size: number): Step {
  return step(`change ${left} ${size}`, (paper, stage) => {
    const closed = stage.room.change({ members: left, room: size });
    assertEquals(
      new Set(closed),
      new Set(paper.sessions.filter(({ member }) => !left.includes(member))),
    );
    paper.members = left;
    paper.size = size;
    paper.largest = paper.calls.length === 0 ? size : Math.max(paper.largest, size);
  });
}

Deno.test("room: the count is what a list on paper says, whatever happens in whatever order", () => {
  const member = fc.constantFrom(...others);
  const size = fc.integer({ min: 1, max: 6 });
  const direction = fc.constantFrom<Direction[]>("inbound", "outbound");
  const steps = [
    fc.tuple(member, direction).map((given) => admitting(...given)),
    fc.tuple(member, direction).map((given) => admitting(...given)),
    fc.nat(40).map(leaving),
    fc.constant(calling()),
    fc.constant(rotating()),
    member.map((given) => ending("failed", given)),
    member.map((given) => ending("refused", given)),
    fc.constantFrom(1, 1_500, CROSSING_MS + 1, ROTATE_MS * 2).map((ms) =>
      step(`wait ${ms}`, (_paper, stage) => void (stage.now += ms))
    ),
    fc.tuple(fc.subarray(others, { minLength: 3 }), size).map((given) => changing(...given)),
  ];
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 60 }), size, fc.nat(), (commands, room, seed) => {
      const own = "m003x";
      const stage = new Stage({ own, others, size: room, anchors: 2, random: seeded(seed) });
      const paper: Paper = {
        ...{ own, size: room, largest: room, members: [...others] },
        ...{ sessions: [], calls: [], ever: [] },
      };
      fc.modelRun(() => ({ model: paper, real: stage }), commands);
    }),
    { numRuns: 500 },
  );
});
