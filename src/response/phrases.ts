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

/** By event. */
export const PHRASES: Readonly<Record<string, Phrases>> = {
  "log.unverified": {
    title: "log {} answers with a checkpoint that its key has not signed",
    proven:
      "The note in the evidence came from where the log is, and the log's known key has not " +
      "signed it. Such checkpoints are rejected.",
    suspected: "Nothing follows about the log itself: anybody between you and the log can send " +
      "such a note. The log's key may have been changed, or somebody else answers in its place.",
    todo: "1. Accept nothing from this log until this is cleared up.\n" +
      "2. Look at the log's own pages: was a change of the key announced? If so, see OPERATING, " +
      '"A log\'s key was rotated".\n' +
      "3. If not, ask the log's operator, and look from another network.",
    check: "The evidence has the note and the key. Any tool for C2SP signed notes says that the " +
      "signature does not verify.",
  },
  "log.unproven": {
    title: "log {} has not proven that it only added entries",
    proven: "The log signed the checkpoint in the evidence. It has given no proof that it only " +
      "added entries to what it showed before. Such checkpoints are rejected.",
    suspected: "It may have changed its history. It may as well have a broken cache or server. A " +
      "missing proof convicts nobody.",
    todo: "1. Accept no new checkpoint of this log until this is cleared up.\n" +
      "2. Keep the monitor running: it asks again, and tells peers.\n" +
      "3. Ask the log's operator. Look whether other monitors see the same.",
    check: "Open the notes in the evidence with the log's key: it has signed them. Then ask the " +
      "log for the consistency proof between their sizes.",
  },
  "log.withheld": {
    title: "log {} withholds a checkpoint that others were shown",
    proven: "Others hold a checkpoint with the log's signature, and the log has not shown it here.",
    suspected: "The log may show different things to different people. It may also be slow, or " +
      "one of its servers may lag behind.",
    todo: "1. Look whether the log grows: " + STATUS_COMMAND + "\n" +
      "2. Look at the log from another network.\n" +
      "3. If it goes on, ask the log's operator.",
    check: STATUS_COMMAND,
  },
  "log.frozen": {
    title: "log {} has not grown for longer than it should take",
    proven: NOTHING_PROVEN,
    suspected: "The log may have stopped, or it may be shown to you as it was before.",
    todo: "1. Look at the log's own pages, and from another network.\n" +
      '2. If the log is slow by nature, set its "patience". If it has ended, set "retired".',
    check: STATUS_COMMAND,
  },
  "log.rolled back": {
    title: "log {} shows an older checkpoint than before",
    proven: "The older checkpoint agrees with what the log showed before. " + NOTHING_PROVEN,
    suspected: "One of the log's servers may lag behind. It may also have been restored from a " +
      "backup.",
    todo: "1. Wait whether it catches up: the monitor goes on looking.\n" +
      "2. If it goes on for hours, ask the log's operator.",
    check: STATUS_COMMAND,
  },
  "log.unavailable": {
    title: "log {} cannot be reached",
    proven: "Nothing, except that no signed checkpoint came from it. An outage is no misbehaviour.",
    suspected: "The log, the network between, or this machine has an outage.",
    todo: "1. Is this machine online? " + STATUS_COMMAND + " shows whether other logs answer.\n" +
      "2. Look at the log's own status page.\n" +
      "3. Nothing else: it is tried again, and its return is told.",
    check: STATUS_COMMAND,
  },
  "log.retired": {
    title: "log {} stands still, and only its server says that this is meant",
    proven: NOTHING_PROVEN + " Nobody signs what the server says.",
    suspected: "The log has been retired, as logs are. Or somebody hides that it grows.",
    todo: 'If you know from elsewhere that it is retired, set "retired" in the configuration.',
    check: STATUS_COMMAND,
  },
  "exchange.failed": {
    title: "peer {} cannot be compared with",
    proven: NOTHING_PROVEN,
    suspected:
      "The peer is down, or the network between. While no peer answers, a split view of a " +
      "log would not be seen.",
    todo: "1. Ask the peer's operator.\n2. Look whether other peers answer: " + STATUS_COMMAND,
    check: "hearsay peers",
  },
  "exchange.refused": {
    title: "peer {} sends what cannot be accepted",
    proven: NOTHING_PROVEN,
    suspected: "The peer has another version or a fault, or somebody else answers in its place.",
    todo: "Ask the peer's operator.",
    check: "hearsay peers",
  },
  "exchange.nothing shared": {
    title: "peer {} follows none of the logs that are followed here",
    proven: NOTHING_PROVEN,
    suspected: "One of the two configurations names other logs than was meant.",
    todo: "Compare the lists of logs with the peer's operator. Nothing is compared until then.",
    check: "hearsay peers",
  },
  "exchange.self": {
    title: "peer {} is this monitor itself",
    proven: "Nothing is compared with this peer.",
    suspected: "The configuration names this monitor's own address as a peer.",
    todo: "Take it out of the configuration, or put the right address there.",
    check: "hearsay config check",
  },
  "member.banned": {
    title: "member {} was put out",
    proven: "This monitor talks to it no more. The reason is below.",
    suspected: "Its operator may not know: a copied or restored folder can cause it.",
    todo:
      "1. Ask the member's operator.\n2. Take it back when it is cleared up: hearsay peers unban",
    check: "hearsay peers",
  },
  "member.key_used_twice": {
    title: "two programs speak with the key of {}",
    proven: "Two sessions at once were signed with this key.",
    suspected: "A folder was copied or restored. Or the key is in other hands.",
    todo: "1. Ask the member's operator whether a second program runs.\n" +
      "2. If not, the key must be replaced.",
    check: "hearsay peers",
  },
  "disk.refused": {
    title: "this monitor's disk refuses to write",
    proven: "It says nothing about any log.",
    suspected: "The disk is full, or broken.",
    todo: "1. Free the disk, or replace it. What could not be written is tried again.\n" +
      "2. Do not stop the monitor before that if it has told a case that is not written.",
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
    title: "something that was in this monitor's folders is gone",
    proven: "What the monitor wrote there before is not there any more.",
    suspected: "A folder was restored from a backup, or somebody has removed something.",
    todo: 'See OPERATING, "Lost state".',
    check: STATUS_COMMAND,
  },
  "journal.unsound": {
    title: "an entry of this monitor's incident journal does not hold",
    proven: "The entry proves nothing, and is not used.",
    suspected: "Somebody has changed the journal, or another version wrote the entry.",
    todo: "Keep the journal as it is, and compare it with your backup.",
    check: "hearsay incidents check",
  },
  "folder.moved": {
    title: "a folder of this monitor was moved, and the monitor ends",
    proven: "Nothing more is written. Nobody watches until it is started again.",
    suspected: "Somebody moved, removed or replaced the folder.",
    todo: "Put the folder back where the configuration says, then start the monitor again.",
    check: STATUS_COMMAND,
  },
  "key.changed": {
    title: "this monitor has another key than at its last start",
    proven: "The key file has another key.",
    suspected: "If you did not replace the key, somebody else has.",
    todo: "If you did it, nothing. If not, take the machine for compromised.",
    check: "hearsay config check",
  },
  "daemon.fault": {
    title: "a fault in Hearsay itself",
    proven: "A piece of work ended with an error of the program. The monitor goes on.",
    suspected: "What that work was to find out is not known.",
    todo: "1. Look at the log lines around it, and at " + STATUS_COMMAND + "\n" +
      "2. Please report it, with its stack.",
    check: STATUS_COMMAND,
  },
  "config.refused": {
    title: "the changed configuration was refused",
    proven: "The monitor goes on with the configuration that it had.",
    suspected: "Nothing.",
    todo: "Correct the file, then reload it.",
    check: "hearsay config check",
  },
  "incident.refused": {
    title: "a record about log {} convinces nobody",
    proven: "Two implementations of signature checking differ about the record. It proves nothing.",
    suspected: "The log's key makes signatures at the edge of what is valid.",
    todo: "Keep the event that has the record, and report it: implementations should not differ.",
    check: "hearsay verify, with the record in the evidence",
  },
  "alert.failed": {
    title: "alerts do not get through channel {}",
    proven: "The channel did not take what was sent. Nothing is lost: it is sent again.",
    suspected: "The receiver is down, or the configuration of the channel is wrong.",
    todo: "Look at the receiver, then try it: hearsay alert test",
    check: STATUS_COMMAND,
  },
  "alert.disabled": {
    title: "channel {} takes no alerts and is not tried any more",
    proven: "It has failed for a day. What waits for it is kept.",
    suspected: "The receiver is gone, or the configuration of the channel is wrong.",
    todo: "1. Repair the receiver, and try it: hearsay alert test\n" +
      "2. Reload or restart the monitor: then the channel is tried again.",
    check: STATUS_COMMAND,
  },
};

/** For an event that has none of its own. `{}` stands for its name. */
export const OTHER: Phrases = {
  title: "the event {} came up",
  proven: NOTHING_PROVEN,
  suspected: 'See OPERATING, "Events".',
  todo: "Look at the log lines of the monitor around this time.",
  check: STATUS_COMMAND,
};
