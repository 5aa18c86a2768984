// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Root} from './Rfc9162.sol';

/// @title An append-only Merkle log of anchors
/// @notice Every anchored root becomes a leaf of one RFC 9162 tree, whose compact range is kept in storage: `size`, and one
/// peak for each set bit of it. A leaf's entry is evm_chain_id 8 ‖ contract 20 ‖ root 32 ‖ timestamp 8, big-endian. The
/// contract fills in all but the root, so what is proven in one log passes in no other.
/// @dev Storage is part of the interface, because it is proven to verifiers by `eth_getProof`. With S the ERC-7201 slot of
/// `kedge.anchorlog.v1`, slot S holds `size` in its low 8 bytes and above it the anchorer's address in 20; slot S+1+k holds
/// the peak of 2^k leaves. Slots of unset bits of `size` may hold stale bytes.
interface IAnchorLog {
    /// @notice `root` became leaf `index` of the log.
    /// @param index The leaf's place, from 0.
    /// @param root The anchored value.
    /// @param timestamp The block's time in seconds, as the entry holds it.
    event Anchored(uint256 indexed index, bytes32 indexed root, uint256 timestamp);

    /// @notice The one account that may append was replaced. The zero address means that nobody may.
    event AnchorerSet(address indexed previousAnchorer, address indexed newAnchorer);

    /// @notice Only the anchorer appends.
    error AnchorLogUnauthorizedAnchorer(address account);

    /// @notice The next leaf is not where the caller expects it: an earlier transaction may have got through after all.
    error AnchorLogUnexpectedIndex(uint256 expectedIndex, uint256 size);

    /// @notice A zero root is a caller's mistake, never an anchor.
    error AnchorLogZeroRoot();

    /// @notice There is nothing to append.
    error AnchorLogEmptyBatch();

    /// @notice This chain's id does not fit the 8 bytes that an entry has for it.
    error AnchorLogChainIdTooLarge(uint256 chainId);

    /// @notice The owner's one power is to replace a lost or stolen anchorer. Nobody could, if it were given up.
    error AnchorLogOwnershipNotRenounceable();

    /// @notice Appends one root. A retry can never append twice, since `expectedIndex` is used up.
    /// @param root The value to anchor, not zero.
    /// @param expectedIndex What `size` has to be.
    function anchor(bytes32 root, uint256 expectedIndex) external;

    /// @notice Appends several roots in order, all or none, under one timestamp.
    /// @param roots The values to anchor: at least one, none of them zero.
    /// @param expectedIndex What `size` has to be before the first.
    function anchorMany(bytes32[] calldata roots, uint256 expectedIndex) external;

    /// @notice Replaces the one account that may append. The owner alone calls it.
    /// @param newAnchorer The account, or the zero address to stop appends until there is another.
    function setAnchorer(address newAnchorer) external;

    /// @notice The one account that may append; zero if nobody may.
    function anchorer() external view returns (address);

    /// @notice How many roots were anchored.
    function size() external view returns (uint256);

    /// @notice The RFC 9162 root of the log; SHA-256 of nothing while the log is empty.
    function logRoot() external view returns (Root);

    /// @notice The peaks of the log's compact range, largest first: one for each set bit of `size`.
    function peaks() external view returns (bytes32[] memory);

    /// @notice Whether `root` was anchored in this log at `index` in a block of time `timestamp`.
    /// @param root The anchored value.
    /// @param timestamp The `timestamp` of its `Anchored` event.
    /// @param index The `index` of its `Anchored` event.
    /// @param proof The inclusion path to the log as it is now, from leaf to root.
    function isAnchored(
        bytes32 root,
        uint64 timestamp,
        uint256 index,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice RFC 9162 inclusion, for any tree. Reads nothing of this log.
    /// @dev Takes the entry and hashes it itself, since a leaf given by the caller could be an inner node. With a `treeSize`
    /// from an untrusted place the answer says nothing of the index.
    /// @param entry The leaf's bytes, without prefix.
    /// @param index The leaf's place, from 0.
    /// @param treeSize How many leaves the tree has.
    /// @param proof The inclusion path, from leaf to root.
    /// @param root The tree's root.
    function verifyInclusion(
        bytes calldata entry,
        uint256 index,
        uint256 treeSize,
        bytes32[] calldata proof,
        Root root
    ) external pure returns (bool);
}
