/** One writer for each deployment. The operating system lets go of the lock when the process ends, however it ends. */
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from './sqlite.ts';

/** Held until `release`. Fails at once where another process holds it. */
export function lock(path: string): { readonly release: () => void } {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === 5) {
      throw new StoreError(
        'another kedge process seals or anchors for this deployment: stop it first (kedge serve does it all)',
      );
    }
    throw error;
  }
  return { release: () => database.close() };
}
