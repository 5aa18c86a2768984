/**
 * Known-answer vectors for the binary formats: `node scripts/vectors.ts [--check]`.
 *
 * Written from docs/format.md with Node's own hashes and signatures and plain concatenation. Nothing of src/ is
 * imported, so the vectors are not our encoders asking themselves. Node has neither BLAKE3 nor Keccak: those two are
 * noble's.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import './vectors/anchors.ts';
import './vectors/events.ts';
import './vectors/identities.ts';
import { type Vector, vectors } from './vectors/naive.ts';
import './vectors/receipts.ts';
import './vectors/records.ts';

const FOLDER = new URL('../test/vectors/', import.meta.url);

const NOUNS = [...new Set([...vectors.keys()].map((name) => name.split('/')[0]!))];
const textOf = (vector: Vector): string => `${JSON.stringify(vector, null, 2)}\n`;

function check(): readonly string[] {
  const differing = [...vectors].filter(([name, vector]) => {
    try {
      return readFileSync(new URL(`${name}.json`, FOLDER), 'utf8') !== textOf(vector);
    } catch {
      return true;
    }
  });
  const strangers = NOUNS.flatMap((noun) =>
    readdirSync(new URL(`${noun}/`, FOLDER))
      .map((file) => `${noun}/${file.replace(/\.json$/, '')}`)
      .filter((name) => !vectors.has(name)),
  );
  return [...differing.map(([name]) => name), ...strangers];
}

if (process.argv.includes('--check')) {
  const wrong = check();
  for (const name of wrong) {
    console.error(`test/vectors/${name}.json is not what scripts/vectors.ts writes: a frozen vector was changed`);
  }
  if (wrong.length > 0) process.exitCode = 1;
  else console.log(`${vectors.size} vectors are as frozen`);
} else {
  for (const noun of NOUNS) mkdirSync(new URL(`${noun}/`, FOLDER), { recursive: true });
  for (const [name, vector] of vectors) writeFileSync(new URL(`${name}.json`, FOLDER), textOf(vector));
  console.log(`${vectors.size} vectors written`);
}
