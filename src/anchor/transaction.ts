/** The anchorer's transactions, as bytes. */
import { encodeFunctionData, keccak256, parseTransaction, toHex, type Hex } from 'viem';
import { privateKeyToAccount, privateKeyToAddress } from 'viem/accounts';
import { anchorLogAbi } from './abi.ts';
import { L2Error } from './fault.ts';

export type Signed = { readonly hash: Uint8Array; readonly raw: Uint8Array; readonly nonce: bigint };
/** Wei for a unit of gas. */
export type Fees = { readonly max: bigint; readonly tip: bigint };

export const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'));

export function addressOf(key: Hex): Hex {
  try {
    return privateKeyToAddress(key);
  } catch {
    // What was wrong with it is not said: it may be a key with a typing error.
    throw new L2Error("the anchorer's key is not a secp256k1 key of 32 bytes", false);
  }
}

/** `expectedIndex` stands in the call: whatever else goes wrong, the contract appends it once or not at all. */
export function call(roots: readonly Uint8Array[], expectedIndex: bigint): Hex {
  const hexRoots = roots.map((root) => toHex(root));
  return hexRoots.length === 1
    ? encodeFunctionData({ abi: anchorLogAbi, functionName: 'anchor', args: [hexRoots[0]!, expectedIndex] })
    : encodeFunctionData({ abi: anchorLogAbi, functionName: 'anchorMany', args: [hexRoots, expectedIndex] });
}

export async function sign(key: Hex, { chainId, to, data, nonce, gas, fees }: Unsigned): Promise<Signed> {
  addressOf(key);
  const raw = await privateKeyToAccount(key).signTransaction({
    type: 'eip1559',
    chainId: Number(chainId),
    to,
    data,
    nonce: Number(nonce),
    gas,
    maxFeePerGas: fees.max,
    maxPriorityFeePerGas: fees.tip,
  });
  return { hash: bytes(keccak256(raw)), raw: bytes(raw), nonce };
}

export type Unsigned = {
  readonly chainId: bigint;
  readonly to: Hex;
  readonly data: Hex;
  readonly nonce: bigint;
  readonly gas: bigint;
  readonly fees: Fees;
};

/** What a node asks of a transaction that takes the place of these: a tenth more of both. */
export function outbid(raws: readonly Uint8Array[]): Fees {
  let max = 0n;
  let tip = 0n;
  for (const raw of raws) {
    const { maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = parseTransaction(toHex(raw));
    const more = (fee: bigint): bigint => (fee * 11n) / 10n + 1n;
    if (more(maxFeePerGas) > max) max = more(maxFeePerGas);
    if (more(maxPriorityFeePerGas) > tip) tip = more(maxPriorityFeePerGas);
  }
  return { max, tip };
}
