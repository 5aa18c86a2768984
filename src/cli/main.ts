#!/usr/bin/env node
/** `kedge`: reads arguments, calls, prints, exits. 0 done or verified, 1 a bad verdict, 2 wrong usage, 3 unreachable. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { config } from 'dotenv';
import { L2Error } from '../anchor/l2.ts';
import { BitcoinError } from '../checkpoint/bitcoin.ts';
import { CheckpointError } from '../checkpoint/checkpointer.ts';
import { REAL, type Outside } from '../daemon/deployment.ts';
import { KeyError } from '../daemon/keys.ts';
import { SettingError } from '../daemon/settings.ts';
import { DecodeError } from '../protocol/bytes.ts';
import { ProveError } from '../prove/source.ts';
import { SealError } from '../seal/sealer.ts';
import { ConflictError, StoreError } from '../store/sqlite.ts';
import { Operator } from './operate.ts';
import { bad, EXIT, printable, UsageError, type Exit } from './output.ts';
import { info, verify, type VerifyOptions } from './verify.ts';

type Environment = { readonly [name: string]: string | undefined };

/** One command. Never throws for a user's mistake. */
export async function main(
  args: readonly string[],
  env: Environment = process.env,
  outside: Outside = REAL,
): Promise<Exit> {
  let exit: Exit = EXIT.done;
  const program = commands(
    () => new Operator(env, outside),
    (code) => (exit = code),
  );
  try {
    await program.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): Exit {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const message = printable(error instanceof Error ? error.message : String(error));
  process.stderr.write(`${bad('kedge:')} ${message}\n`);
  const unreachable = [L2Error, BitcoinError, CheckpointError, SealError, StoreError];
  if (unreachable.some((kind) => error instanceof kind)) return EXIT.unreachable;
  const mistakes = [UsageError, SettingError, KeyError, DecodeError, ProveError, ConflictError];
  if (mistakes.some((kind) => error instanceof kind) || isFileError(error)) return EXIT.usage;
  // A bug: the one case in which a stack is of use.
  process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`);
  return EXIT.unreachable;
}

const isFileError = (error: unknown): boolean => typeof (error as NodeJS.ErrnoException).syscall === 'string';

function commands(operator: () => Operator, end: (exit: Exit) => void): Command {
  const program = new Command('kedge')
    .description(
      'Notarizes events: a signed chain for each tenant, anchored on an L2 and in Bitcoin, verified offline.',
    )
    .exitOverride()
    .showHelpAfterError('(kedge --help lists the commands)');
  const command = (parent: Command, words: string, what: string, example: string): Command =>
    parent
      .command(words)
      .description(what)
      .option('--json', 'print one JSON object')
      .addHelpText('after', `\nExample:\n  $ ${example}`);
  const tenantOption = ['-t, --tenant <name>', 'whose chain; may be left out where there is only one'] as const;

  command(program, 'init', 'make the store and the keystore in KEDGE_DIR', 'KEDGE_PASSPHRASE=… kedge init').action(
    async (options: object) => end(await operator().init(options)),
  );

  const tenant = program.command('tenant').description('tenants: one chain and one slot each');
  command(tenant, 'add <name>', 'register a tenant, its keys and its slot', 'kedge tenant add acme')
    .option('--suite <name>', 'sha2-256 or blake3-128', 'sha2-256')
    .action(async (name: string, options: { suite: string }) => end(await operator().addTenant(name, options)));
  command(
    tenant,
    'trust [name]',
    'write what a verifier may start a trust file from',
    'kedge tenant trust acme --out trust.json',
  )
    .requiredOption('-o, --out <file>', 'where to')
    .option('--tier <tier>', 'least tier that is good enough', 'notarized')
    .action(async (name: string | undefined, options: { out: string; tier: string }) =>
      end(await operator().trust(name, options)),
    );

  command(
    program,
    'ingest <file...>',
    'take in events, one JSON text a line; - is standard input',
    'kedge ingest -t acme events.ndjson',
  )
    .option(...tenantOption)
    .option('--raw', 'each file is one event, as it is')
    .option('--id-field <name>', "the member that holds the event's own id; makes a retry safe", 'id')
    .action(async (files: string[], options: { idField: string }) => end(await operator().ingest(files, options)));
  command(
    program,
    'stamp <file...>',
    'take in the digests of files; the files stay at home',
    'kedge stamp -t acme contract.pdf',
  )
    .option(...tenantOption)
    .action(async (files: string[], options: object) => end(await operator().stamp(files, options)));
  command(program, 'seal', 'close a seal now', 'kedge seal')
    .option(...tenantOption)
    .option('--heartbeat', 'seal silence, too')
    .action(async (options: object) => end(await operator().seal(options)));
  command(program, 'rotate', 'hand a chain over to its next key', 'kedge rotate -t acme --reason scheduled')
    .option(...tenantOption)
    .option('--reason <reason>', 'scheduled, compromise or other', 'scheduled')
    .action(async (options: { reason: string }) => end(await operator().rotate(options)));
  command(program, 'anchor', 'write all heads to the L2 as one root', 'kedge anchor').action(async (options: object) =>
    end(await operator().anchor(options)),
  );
  command(
    program,
    'checkpoint',
    'prove an L2 block and hand it to Bitcoin when it is final',
    'kedge checkpoint',
  ).action(async (options: object) => end(await operator().checkpoint(options)));
  command(program, 'upgrade', 'follow what was handed to Bitcoin before', 'kedge upgrade').action(
    async (options: object) => end(await operator().upgrade(options)),
  );
  command(program, 'serve', 'seal, anchor and checkpoint on their schedules', 'kedge serve').action(
    async (options: object) => end(await operator().serve(options)),
  );
  command(
    program,
    'prove <event>',
    'write the evidence of an event, by id or hash',
    'kedge prove order-17 --out evidence.json',
  )
    .option(...tenantOption)
    .option('-o, --out <file>', 'evidence, for kedge verify')
    .option('--ots <file>', 'a plain OpenTimestamps file, for the stock client; the event is written beside it')
    .option('--trust <file>', "lead to the records that this verifier's trust file knows")
    .action(async (event: string, options: object) => end(await operator().prove(event, options)));
  command(
    program,
    'verify <path>',
    'check evidence or an exported chain, offline',
    'kedge verify evidence.json --trust trust.json',
  )
    .requiredOption('--trust <file>', 'what you know from elsewhere')
    .option('--event <file>', 'your own copy of the event, canonical bytes')
    .option('--heads <file>', 'heads that you saw before, for an exported chain')
    .action(async (path: string, options: VerifyOptions) => end(await verify(path, options)));
  command(program, 'export <folder>', 'write a whole chain into a new folder', 'kedge export -t acme acme-chain')
    .option(...tenantOption)
    .action(async (folder: string, options: object) => end(await operator().export(folder, options)));
  command(program, 'status', 'where everything stands', 'kedge status').action(async (options: object) =>
    end(await operator().status(options)),
  );
  command(
    program,
    'info <file>',
    'show what is in a file of ours or in an .ots, unchecked',
    'kedge info evidence.json',
  ).action(async (file: string, options: object) => end(await info(file, options)));
  return program;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  config({ quiet: true });
  process.stdout.on('error', () => process.exit(EXIT.done));
  process.exitCode = await main(process.argv.slice(2));
}
