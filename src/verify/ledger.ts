/** What one verification has found so far. */
import { DecodeError } from '../protocol/bytes.ts';
import type { Finding, Reason, Step } from '../protocol/verdict.ts';

export class Ledger {
  readonly findings: Finding[] = [];
  readonly steps: Step[] = [];
  readonly notes: string[] = [];

  /** Records a step that failed and why. Returns `undefined`, so that a check can `return ledger.fail(...)`. */
  fail(step: string, reason: Reason, at: string, detail: string): undefined {
    this.findings.push({ reason, at, detail });
    this.steps.push({ name: step, ok: false, detail: `${reason} at ${at}: ${detail}` });
    return undefined;
  }

  pass(step: string, detail: string): true {
    this.steps.push({ name: step, ok: true, detail });
    return true;
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** The one place where a decode error becomes a finding. */
  decode<T>(step: string, at: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return this.fail(step, 'DecodeFailed', at, error.message);
    }
  }
}
