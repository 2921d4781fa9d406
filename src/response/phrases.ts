/**
 * What alerts say of each kind of event, except of proven cases.
 *
 * @module
 */

/** What to say of one kind of event. `{}` stands for its subject. */
export interface Phrases {
  /** What is the matter, without an end: `log {} cannot be reached`. */
  readonly title: string;
  readonly proven: string;
  readonly suspected: string;
  readonly todo: string;
  readonly check: string;
}

const STATUS_COMMAND = "hearsay status";
const NOTHING_PROVEN = "Nothing is proven against anybody.";

const PORT_FAILED: Phrases = {
  title: "a port of this monitor cannot accept connections",
  proven: NOTHING_PROVEN + " The monitor goes on watching the logs, and tries the port again.",
  suspected: "This machine may have no more memory or file descriptors.",
  todo: "Look at the machine: who uses its memory and descriptors?",
  check: STATUS_COMMAND,
};

/** By event. */
export const PHRASES: Readonly<Record<string, Phrases>> = {
  "log.unverified": {
    title: "log {} answers with a checkpoint that its key has not signed",
    proven: "The known key of the log has not signed the note in the evidence. This monitor " +
      "rejects such checkpoints.",
    suspected:
      "The note came from the address of the log. But that proves nothing about the log: " +
      "anybody between you and the log can send such a note.\n" +
      "Perhaps the log has a new key. Perhaps somebody else answers in its place.",
    todo: "1. Use nothing new from this log until you know why.\n" +
      "2. Look at the log's own pages: did it announce a new key? If so, see OPERATING, " +
      '"A log\'s key was rotated".\n' +
      "3. If not, ask the operator of the log, and look from another network.",
    check:
      "The evidence has the note and the key. Every tool for C2SP signed notes says that the " +
      "signature does not verify.",
  },
  "log.unproven": {
    title: "log {} has not proven that it only added entries",
    proven: "The key of the log has signed the checkpoints in the evidence. This monitor rejects " +
      "the new one, because it has no proof that the log only added entries.",
    suspected: "Perhaps the log has changed its history. Perhaps one of its servers or caches is " +
      "broken. Without a proof nobody is convicted.",
    todo: "1. Use nothing new from this log until you know why.\n" +
      "2. Do not stop the monitor: it asks again, and tells its peers.\n" +
      "3. Ask the operator of the log. Look whether other monitors see the same.",
    check: "The key of the log has signed the notes in the evidence: check that first. If the " +
      "evidence has a proof, it is the one that the log gave: it does not lead to the root in the " +
      "newer note. If it has none, ask the log for the consistency proof between the two sizes.",
  },
  "log.withheld": {
    title: "log {} withholds a checkpoint that others were shown",
    proven:
      "Others have a checkpoint with the signature of the log. The log has not shown it here.",
    suspected: "Perhaps the log shows different things to different people. Perhaps it is slow, " +
      "or one of its servers is behind.",
    todo: "1. Look whether the log grows: " + STATUS_COMMAND + "\n" +
      "2. Look at the log from another network.\n" +
      "3. If it lasts, ask the operator of the log.",
    check: STATUS_COMMAND,
  },
  "log.frozen": {
    title: "log {} has not grown for too long",
    proven: NOTHING_PROVEN,
    suspected: "Perhaps the log has stopped. Perhaps somebody shows you an old state of it.",
    todo: "1. Look at the log's own pages, and from another network.\n" +
      '2. If the log always grows slowly, set a longer "patience". If it has ended, set "retired".',
    check: STATUS_COMMAND,
  },
  "log.rolled back": {
    title: "log {} shows an older checkpoint than before",
    proven: "The older checkpoint agrees with what the log showed before. " + NOTHING_PROVEN,
    suspected: "Perhaps one of the log's servers is behind, or was restored from a backup.",
    todo: "1. Wait: the monitor goes on looking, and tells you when it is over.\n" +
      "2. If it lasts for hours, ask the operator of the log.",
    check: STATUS_COMMAND,
  },
  "log.unavailable": {
    title: "log {} cannot be reached",
    proven: "Only that no signed checkpoint came from it. An outage is no misbehaviour.",
    suspected: "The log, the network, or this machine has an outage.",
    todo: "1. Is this machine online? " + STATUS_COMMAND + " shows whether other logs answer.\n" +
      "2. Look at the log's own status page.\n" +
      "3. Nothing else: the monitor tries again, and tells you when the log is back.",
    check: STATUS_COMMAND,
  },
  "log.retired": {
    title: "log {} does not grow, and only its server says that it has ended",
    proven: NOTHING_PROVEN + " The server has not signed what it says.",
    suspected: "Perhaps the log has ended. Perhaps somebody hides that it grows.",
    todo: 'Look at the log\'s own pages. If it has ended, set "retired" in the configuration.',
    check: STATUS_COMMAND,
  },
  "exchange.failed": {
    title: "peer {} cannot be reached, so nothing is compared with it",
    proven: NOTHING_PROVEN,
    suspected: "The peer or the network is down. As long as no peer answers, this monitor cannot " +
      "see a split view.",
    todo: "1. Ask the peer's operator.\n2. Look whether other peers answer: " + STATUS_COMMAND,
    check: "hearsay peers",
  },
  "exchange.refused": {
    title: "peer {} sends something that is refused",
    proven: NOTHING_PROVEN,
    suspected:
      "Perhaps the peer has another version or a fault. Perhaps somebody else answers in " +
      "its place.",
    todo: "Ask the peer's operator.",
    check: "hearsay peers",
  },
  "exchange.nothing shared": {
    title: "peer {} follows none of your logs, so nothing is compared with it",
    proven: NOTHING_PROVEN,
    suspected: "One of the two configurations has the wrong logs.",
    todo: "Compare your list of logs with the operator of the peer.",
    check: "hearsay peers",
  },
  "exchange.self": {
    title: "peer {} is this monitor itself, so nothing is compared with it",
    proven: NOTHING_PROVEN,
    suspected: "The configuration has this monitor's own address as a peer.",
    todo: "Remove it from the configuration, or write the right address there.",
    check: "hearsay config check",
  },
  "member.banned": {
    title: "member {} was banned",
    proven: "This monitor does not talk to it any more. The reason is below.",
    suspected: "Perhaps its operator does not know: a copied or restored folder can be the cause.",
    todo: "1. Ask the operator of the member.\n" +
      "2. When you know the cause, take the member back: hearsay peers unban",
    check: "hearsay peers",
  },
  "member.key_used_twice": {
    title: "two programs speak with the key of {}",
    proven: "Two sessions at the same time were signed with this key.",
    suspected: "Perhaps a folder was copied or restored. Perhaps somebody has stolen the key.",
    todo: "1. Ask the operator of the member whether a second program runs.\n" +
      "2. If not, the key must be replaced.",
    check: "hearsay peers",
  },
  "disk.refused": {
    title: "this monitor's disk refuses to write",
    proven: NOTHING_PROVEN,
    suspected: "The disk is full, or broken.",
    todo: "1. Make room on the disk, or replace it. The monitor tries again to write.\n" +
      "2. If a message says that a case could not be written, do not stop the monitor before that.",
    check: STATUS_COMMAND,
  },
  "store.away": {
    title: "the database that this monitor shares with its other sites is away",
    proven: "It says nothing about any log. This monitor looks at every log itself meanwhile.",
    suspected: "The database is down, full or cut off, or does not let this monitor in any more.",
    todo: "Look at the database. Nothing is lost: what was seen is in this monitor's journals.",
    check: STATUS_COMMAND,
  },
  "journal.lost": {
    title: "something in this monitor's folders is lost",
    proven: "The monitor wrote it there before, and it is not there any more.",
    suspected: "Perhaps a folder was restored from a backup. Perhaps somebody removed something.",
    todo: 'See OPERATING, "Lost state".',
    check: STATUS_COMMAND,
  },
  "journal.unsound": {
    title: "an entry of this monitor's incident journal does not hold",
    proven: "The entry proves nothing, and the monitor does not use it.",
    suspected: "Perhaps somebody has changed the journal. Perhaps another version wrote the entry.",
    todo: "Do not change the journal. Compare it with your backup.",
    check: "hearsay incidents check",
  },
  "folder.moved": {
    title: "a folder of this monitor was moved, and the monitor ends",
    proven: "NOBODY WATCHES your logs now, until the monitor is started again.",
    suspected: "Somebody moved, removed or replaced the folder.",
    todo: "1. Put the folder back where the configuration says.\n2. Start the monitor again.",
    check: STATUS_COMMAND,
  },
  "key.changed": {
    title: "this monitor has another key than at its last start",
    proven: "The key file has another key.",
    suspected: "If you did not replace the key, somebody else did it.",
    todo: "Did you replace it? Then do nothing. If not: somebody else may have control of this " +
      "machine.",
    check: "hearsay config check",
  },
  "daemon.fault": {
    title: "a fault in Hearsay itself",
    proven: NOTHING_PROVEN + " The program made an error in one piece of work. It goes on.",
    suspected: "The result of that piece of work is missing.",
    todo: "1. Look at the event daemon.fault in the output of the monitor, and at " +
      STATUS_COMMAND + "\n" +
      "2. Please report it, with its stack.",
    check: STATUS_COMMAND,
  },
  "config.refused": {
    title: "the changed configuration was refused",
    proven: "The monitor goes on with the old configuration.",
    suspected: "Nothing.",
    todo: "Correct the file, then reload it.",
    check: "hearsay config check",
  },
  "incident.refused": {
    title: "a record about log {} convinces nobody",
    proven: NOTHING_PROVEN + " Two implementations check its signatures, and they do not agree.",
    suspected:
      "The signatures may be unusual, so that some programs accept them and others do not.",
    todo: "Keep the event that has the record, and please report it.",
    check: "hearsay verify, with the record in the evidence",
  },
  "alert.failed": {
    title: "alerts do not get through channel {}",
    proven: "The channel did not take an alert. Nothing is lost: the monitor sends it again.",
    suspected: "The receiver is down, or the configuration of the channel is wrong.",
    todo: "Repair the receiver, then try it: hearsay alert test",
    check: STATUS_COMMAND,
  },
  "alert.disabled": {
    title: "channel {} failed for a day, and is switched off",
    proven: "Nothing is sent through it any more. The alerts that wait for it are kept.",
    suspected: "The receiver is gone, or the configuration of the channel is wrong.",
    todo: "Repair the receiver, then type: hearsay alert test\n" +
      "If the trial arrives, the running monitor uses the channel again.",
    check: STATUS_COMMAND,
  },
  "alert.lost": {
    title: "some alerts were lost",
    proven: "They were not sent, and will not be sent. The reason is below.",
    suspected: "You may not know everything that the monitor found.",
    todo: "Look at what was found: hearsay incidents list, and " + STATUS_COMMAND,
    check: "hearsay incidents list",
  },
  "witness.missing": {
    title: "witness {} has cosigned nothing for too long",
    proven: NOTHING_PROVEN,
    suspected:
      "Perhaps the witness or its network is down. Perhaps it cosigns another version of " +
      "the log, which nobody shows you.",
    todo: "1. Look whether the other witnesses are enough: " + STATUS_COMMAND + "\n" +
      "2. Ask the operator of the witness.",
    check: STATUS_COMMAND,
  },
  "witness.lagging": {
    title: "witness {} is behind the other witnesses",
    proven: NOTHING_PROVEN,
    suspected: "Perhaps the witness is slow, or its network is down. Perhaps it cosigns another " +
      "version of the log, which nobody shows you.",
    todo: "1. Look whether the other witnesses are enough: " + STATUS_COMMAND + "\n" +
      "2. Ask the operator of the witness.",
    check: STATUS_COMMAND,
  },
  "witness.list_unavailable": {
    title: "the list of logs for this witness cannot be read",
    proven: NOTHING_PROVEN,
    suspected: "Perhaps its server is down. Perhaps the file is damaged.",
    todo: "Look at the list, and at its address in the configuration. The monitor tries again.",
    check: STATUS_COMMAND,
  },
  "mirror.failed": {
    title: "the journal of {} cannot be fetched",
    proven: NOTHING_PROVEN,
    suspected: "The other monitor or the network is down.",
    todo: "1. Ask the operator of the other monitor whether it runs.\n" +
      "2. Nothing else: this monitor tries again, and tells you when it is over.",
    check: STATUS_COMMAND,
  },
  "mirror.rolled back": {
    title: "the journal of {} shows less than before",
    proven: NOTHING_PROVEN,
    suspected: "Perhaps it was restored from a backup. Perhaps a cache shows an old state of it.",
    todo: "Ask the operator of the other monitor. This monitor keeps its copy.",
    check: STATUS_COMMAND,
  },
  "mirror.refused": {
    title: "the journal of {} does not agree with what its monitor signed",
    proven: NOTHING_PROVEN +
      " What its server sends does not lead to the signed checkpoint, or is " +
      "not readable. This monitor refuses it.",
    suspected: "Perhaps its server or a cache is broken. Perhaps somebody has changed its entries.",
    todo: "1. Ask the operator of the other monitor.\n" +
      "2. Keep your copy of the journal: it is in the state folder.",
    check: STATUS_COMMAND,
  },
  "mirror.record refused": {
    title: "an entry in the journal of {} does not hold",
    proven: NOTHING_PROVEN + " The entry convicts nobody, and this monitor does not use it.",
    suspected: "Perhaps the other monitor has another version or a fault.",
    todo: "Ask the operator of the other monitor.",
    check: STATUS_COMMAND,
  },
  "mirror.began anew": {
    title: "the journal of {} begins anew, as another log",
    proven: NOTHING_PROVEN + " This monitor keeps its copy of the old journal.",
    suspected: "Its operator may have lost the old journal, for example with a disk.",
    todo: "Ask the operator of the other monitor why.",
    check: STATUS_COMMAND,
  },
  "mirror.damaged": {
    title: "this monitor's copy of the journal of {} was damaged",
    proven: NOTHING_PROVEN + " The copy is fetched again from the other monitor.",
    suspected: "Perhaps this machine's disk is broken. Perhaps somebody has changed the copy.",
    todo: "Look at the disk of this machine.",
    check: STATUS_COMMAND,
  },
  "journal.epoch": {
    title: "this monitor's incident journal does not continue what was signed of it",
    proven: "The journal is published from now on as a new log. The old one is kept as it is.",
    suspected:
      "Perhaps a folder was restored from a backup. Perhaps somebody has changed the journal.",
    todo: 'See OPERATING, "Lost state". Tell those who mirror this journal.',
    check: "hearsay incidents check",
  },
  "outages.many": {
    title: "{}",
    proven: "Only that nothing came from them. An outage is no misbehaviour.",
    suspected: "So many at once: perhaps this machine or its network is down.",
    todo: "1. Is this machine online? Look at its network first.\n" +
      "2. Nothing else: the monitor tries again, and tells you when all of them are back.",
    check: STATUS_COMMAND,
  },
  "status.failed": PORT_FAILED,
  "witness.failed": PORT_FAILED,
  "federation.failed": PORT_FAILED,
};

/** The event of an alert about many outages at once. Its subject says what they are. */
export const MANY_OUTAGES = "outages.many";
/** What many outages of one kind are called, by their event. Others are told one by one. */
export const MANY: Readonly<Record<string, string>> = {
  "log.unavailable": "logs cannot be reached",
  "exchange.failed": "peers cannot be reached",
};

/** For an event that has none of its own. `{}` stands for its name. */
export const OTHER: Phrases = {
  title: "the event {} happened",
  proven: NOTHING_PROVEN,
  suspected: 'See OPERATING, "Events".',
  todo: "Look at the log lines of the monitor around this time.",
  check: STATUS_COMMAND,
};
