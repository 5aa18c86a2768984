// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// The hash of a leaf: H(0x00 ‖ entry).
type LeafHash is bytes32;

/// The root of a tree.
type Root is bytes32;

/// @title The Merkle tree of RFC 9162, section 2.1, with SHA-256
/// @notice Leaves and inner nodes are hashed under different prefixes, so an inner node never passes for a leaf. An odd
/// leaf is never duplicated. Paths run from leaf to root.
library Rfc9162 {
    /// A hash could not be computed: there was too little gas, or this chain has no SHA-256 precompile.
    error Rfc9162HashFailed();

    /// RFC 9162, 2.1.1: the root of no leaves is the hash of nothing.
    Root internal constant EMPTY_ROOT = Root.wrap(0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855);

    /// H(0x00 ‖ entry). The prefix is added here and nowhere else: a caller's "leaf" could be an inner node.
    function leafHash(bytes memory entry) internal pure returns (LeafHash) {
        return LeafHash.wrap(sha256(bytes.concat(hex'00', entry)));
    }

    /// H(0x01 ‖ left ‖ right).
    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex'01', left, right));
    }

    /// RFC 9162, 2.1.3.2. `valid` is false where `path` cannot be one of this leaf in a tree of `size` leaves. A path does
    /// not authenticate `size`: it has to come from somewhere trusted.
    function rootFromInclusionProof(
        LeafHash leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata path
    ) internal pure returns (bool valid, Root) {
        if (index >= size) return (false, Root.wrap(0));
        uint256 node = index;
        uint256 last = size - 1;
        bytes32 hash = LeafHash.unwrap(leaf);
        for (uint256 i = 0; i < path.length; i++) {
            if (last == 0) return (false, Root.wrap(0));
            if (node & 1 == 1 || node == last) {
                hash = nodeHash(path[i], hash);
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = nodeHash(hash, path[i]);
            }
            node >>= 1;
            last >>= 1;
        }
        return (last == 0, Root.wrap(hash));
    }

    function verifyInclusion(
        LeafHash leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata path,
        Root root
    ) internal pure returns (bool) {
        (bool valid, Root computed) = rootFromInclusionProof(leaf, index, size, path);
        return valid && Root.unwrap(computed) == Root.unwrap(root);
    }

    /// The root of the tree whose compact range is `peaks`, largest first: the smallest hashed upwards into the next.
    function bag(bytes32[] memory peaks) internal pure returns (Root) {
        uint256 i = peaks.length;
        if (i == 0) return EMPTY_ROOT;
        bytes32 acc = peaks[--i];
        while (i > 0) acc = nodeHash(peaks[--i], acc);
        return Root.wrap(acc);
    }

    /// Appends a leaf to a compact range in storage: the tree has `size` leaves, and the peak of 2^k of them is in the slot
    /// k above `peakSlot`. Merges one peak per trailing set bit of `size` and writes one; what is merged stays as stale
    /// bytes, since clearing would cost more than it gives back when the slot is next written.
    ///
    /// In assembly because the running hash then stays where the precompile puts it, which is the right half of the next
    /// node, and no memory is allocated.
    ///
    ///     node + 0   0x01 ‖ left 32 ‖ right 32
    ///                       sload    the hash so far
    function append(uint256 peakSlot, uint256 size, LeafHash leaf) internal {
        bool done = true;
        assembly ('memory-safe') {
            let node := mload(0x40)
            mstore8(node, 1)
            mstore(add(node, 33), leaf)
            for {} and(size, 1) {
                size := shr(1, size)
            } {
                mstore(add(node, 1), sload(peakSlot))
                done := and(done, staticcall(gas(), 2, node, 65, add(node, 33), 32))
                peakSlot := add(peakSlot, 1)
            }
            sstore(peakSlot, mload(add(node, 33)))
        }
        // Too little gas for a hash but enough to come here.
        if (!done) revert Rfc9162HashFailed();
    }
}
