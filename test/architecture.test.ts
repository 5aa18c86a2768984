import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import ts from 'typescript';

/** A folder and those that it may import. What is absent is forbidden. */
const ALLOWED: { readonly [folder: string]: readonly string[] } = {
  protocol: [],
  verify: ['protocol'],
  store: ['protocol'],
  // A record is checked by the verifier before its chain's head moves.
  seal: ['protocol', 'store', 'verify'],
  anchor: ['protocol', 'store'],
  checkpoint: ['protocol', 'store'],
  prove: ['protocol', 'store', 'verify'],
  daemon: ['protocol', 'store', 'verify', 'seal', 'anchor', 'checkpoint', 'prove'],
  cli: ['protocol', 'store', 'verify', 'seal', 'anchor', 'checkpoint', 'prove', 'daemon'],
};
const PURE = ['protocol', 'verify'];
const OWNED: { readonly [name: string]: string } = { viem: 'anchor', 'bitcoinjs-lib': 'checkpoint' };

const SRC = resolve('src');
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(SRC, name));
const folderOf = (path: string): string => relative(SRC, path).split('/')[0]!;

/** Static, dynamic and type imports alike. */
function imports(path: string): readonly string[] {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isStatic = (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier;
    if (isStatic && ts.isStringLiteral(isStatic)) found.push(isStatic.text);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      found.push(argument && ts.isStringLiteral(argument) ? argument.text : 'an import that is computed');
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      found.push(node.argument.literal.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe('the house', function () {
  this.timeout(60_000);

  it('every folder is in the table', () => {
    expect([...new Set(files.map(folderOf))].sort()).to.deep.equal(Object.keys(ALLOWED).sort());
  });

  for (const path of files) {
    const folder = folderOf(path);
    it(`${relative(SRC, path)} imports only what ${folder} may`, () => {
      for (const name of imports(path)) {
        if (name.startsWith('.')) {
          const target = resolve(dirname(path), name);
          expect(existsSync(target), `${name} is written with its extension`).to.equal(true);
          const other = folderOf(target);
          if (other !== folder) expect(ALLOWED[folder], name).to.include(other);
          continue;
        }
        if (PURE.includes(folder)) expect(name).to.match(/^@noble\/(hashes|ed25519)(\/|$)/);
        for (const [owned, owner] of Object.entries(OWNED)) {
          if (name === owned || name.startsWith(`${owned}/`)) expect(folder, name).to.equal(owner);
        }
      }
    });
  }

  it('the pure folders know neither the time nor chance', () => {
    for (const path of files.filter((each) => PURE.includes(folderOf(each)))) {
      expect(readFileSync(path, 'utf8'), basename(path)).not.to.match(
        /Date\.now|Math\.random|new Date\(\)|performance\./,
      );
    }
  });

  it('the verifier bundles for a browser and needs nothing of Node', async () => {
    const { metafile, outputFiles } = await build({
      entryPoints: [join(SRC, 'verify/index.ts')],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      metafile: true,
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs);
    const external = Object.values(metafile.inputs).flatMap((each) =>
      each.imports.filter((one) => one.external === true),
    );
    expect(external).to.deep.equal([]);
    for (const name of inputs) {
      expect(builtinModules, name).not.to.include(name.replace(/^node:/, ''));
      expect(name).to.match(/^(src\/(protocol|verify)\/|node_modules\/@noble\/)/);
    }
    const text = outputFiles.map((file) => file.text).join('');
    expect(text).not.to.match(/\brequire\(|node:|\bprocess\.|\bBuffer\./);
  });
});
