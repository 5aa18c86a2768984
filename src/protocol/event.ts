/** An event: canonical bytes, or only their digest when the bytes must not leave home. */
import type { EventHash, LeafHash } from './bytes.ts';
import * as Json from './json.ts';
import * as Merkle from './merkle.ts';
import type { Suite } from './suite.ts';

/** RFC 8785 form of a JSON text. Throws `DecodeError` on what RFC 7493 (I-JSON) does not allow. */
export const canonicalJson = (text: Uint8Array): Uint8Array => Json.canonicalize(Json.parse(text));

export const hash = (suite: Suite, canonicalBytes: Uint8Array): EventHash => suite.hash(canonicalBytes) as EventHash;

/** The tree entry is the event hash itself, so a leaf is `H(0x00 | event_hash)`. */
export const leaf = (suite: Suite, eventHash: EventHash): LeafHash => Merkle.leafHash(suite, eventHash);
