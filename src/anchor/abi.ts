import { getAbiItem, parseAbi } from 'viem';

/** What the daemon uses of `contracts/IAnchorLog.sol`. */
export const anchorLogAbi = parseAbi([
  'function anchor(bytes32 root, uint256 expectedIndex)',
  'function anchorMany(bytes32[] roots, uint256 expectedIndex)',
  'function anchorer() view returns (address)',
  'function size() view returns (uint256)',
  'function logRoot() view returns (bytes32)',
  'event Anchored(uint256 indexed index, bytes32 indexed root, uint256 timestamp)',
  'error AnchorLogUnauthorizedAnchorer(address account)',
  'error AnchorLogUnexpectedIndex(uint256 expectedIndex, uint256 size)',
  'error AnchorLogZeroRoot()',
  'error AnchorLogEmptyBatch()',
]);

export const anchoredEvent = getAbiItem({ abi: anchorLogAbi, name: 'Anchored' });
