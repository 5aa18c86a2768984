// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from '@openzeppelin/contracts/access/Ownable.sol';
import {Ownable2Step} from '@openzeppelin/contracts/access/Ownable2Step.sol';
import {IAnchorLog} from './IAnchorLog.sol';
import {LeafHash, Rfc9162, Root} from './Rfc9162.sol';

/// @title The anchor log, with one anchorer and an owner who names it
/// @notice Cannot be upgraded or paused, and has no way to rewrite a peak.
contract AnchorLog is IAnchorLog, Ownable2Step {
    /// The layout that verifiers prove. Solidity packs the first two into slot S and puts peaks[k] in S+1+k.
    /// @custom:storage-location erc7201:kedge.anchorlog.v1
    struct Log {
        uint64 size;
        address anchorer;
        bytes32[64] peaks;
    }

    /// S: keccak256(abi.encode(uint256(keccak256("kedge.anchorlog.v1")) - 1)) & ~bytes32(uint256(0xff))
    uint256 private constant BASE_SLOT = 0xe8794331682ca0fd915136e084c2f506650e5550ad2f4f4618948b3894acf500;

    uint256 private constant SIZE_BITS = 64;

    constructor(address initialOwner, address initialAnchorer) Ownable(initialOwner) {
        _checkChainId(block.chainid);
        _setAnchorer(initialAnchorer);
    }

    /// @inheritdoc IAnchorLog
    function anchor(bytes32 root, uint256 expectedIndex) external {
        uint256 head = _checkedHead(expectedIndex);
        _append(root, expectedIndex);
        // No carry out of the low 8 bytes: 2^64 anchors cannot be paid for.
        unchecked {
            _setHead(head + 1);
        }
    }

    /// @inheritdoc IAnchorLog
    function anchorMany(bytes32[] calldata roots, uint256 expectedIndex) external {
        uint256 head = _checkedHead(expectedIndex);
        if (roots.length == 0) revert AnchorLogEmptyBatch();
        // As above; a calldata array is far shorter than 2^64.
        unchecked {
            for (uint256 i = 0; i < roots.length; i++) _append(roots[i], expectedIndex + i);
            _setHead(head + roots.length);
        }
    }

    /// @inheritdoc IAnchorLog
    function setAnchorer(address newAnchorer) external onlyOwner {
        _setAnchorer(newAnchorer);
    }

    /// @notice Refused: see `AnchorLogOwnershipNotRenounceable`.
    function renounceOwnership() public view override onlyOwner {
        revert AnchorLogOwnershipNotRenounceable();
    }

    /// @inheritdoc IAnchorLog
    function anchorer() external view returns (address) {
        return _log().anchorer;
    }

    /// @inheritdoc IAnchorLog
    function size() public view returns (uint256) {
        return _log().size;
    }

    /// @inheritdoc IAnchorLog
    function logRoot() public view returns (Root) {
        return Rfc9162.bag(peaks());
    }

    /// @inheritdoc IAnchorLog
    function peaks() public view returns (bytes32[] memory live) {
        Log storage log = _log();
        uint256 count = 0;
        for (uint256 bits = log.size; bits != 0; bits &= bits - 1) count++;
        live = new bytes32[](count);
        uint256 height = 0;
        for (uint256 bits = log.size; bits != 0; bits >>= 1) {
            if (bits & 1 == 1) live[--count] = log.peaks[height];
            height++;
        }
    }

    /// @inheritdoc IAnchorLog
    function isAnchored(
        bytes32 root,
        uint64 timestamp,
        uint256 index,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return Rfc9162.verifyInclusion(_leaf(root, timestamp), index, size(), proof, logRoot());
    }

    /// @inheritdoc IAnchorLog
    function verifyInclusion(
        bytes calldata entry,
        uint256 index,
        uint256 treeSize,
        bytes32[] calldata proof,
        Root root
    ) external pure returns (bool) {
        return Rfc9162.verifyInclusion(Rfc9162.leafHash(entry), index, treeSize, proof, root);
    }

    /// A longer id would be cut in the entries, and two chains could then share one.
    function _checkChainId(uint256 chainId) internal pure {
        if (chainId > type(uint64).max) revert AnchorLogChainIdTooLarge(chainId);
    }

    /// Slot S as one word, after the caller and the index were found right: one read serves both.
    function _checkedHead(uint256 expectedIndex) private view returns (uint256 head) {
        assembly ('memory-safe') {
            head := sload(BASE_SLOT)
        }
        if (head >> SIZE_BITS != uint160(msg.sender)) revert AnchorLogUnauthorizedAnchorer(msg.sender);
        if (uint64(head) != expectedIndex) revert AnchorLogUnexpectedIndex(expectedIndex, uint64(head));
    }

    function _setHead(uint256 head) private {
        assembly ('memory-safe') {
            sstore(BASE_SLOT, head)
        }
    }

    function _append(bytes32 root, uint256 index) private {
        if (root == 0) revert AnchorLogZeroRoot();
        Rfc9162.append(BASE_SLOT + 1, index, _leaf(root, block.timestamp));
        emit Anchored(index, root, block.timestamp);
    }

    /// The leaf of an entry of this log, hashed from memory that is not kept:
    ///
    ///     0x00 ‖ evm_chain_id 8 ‖ contract 20 ‖ root 32 ‖ timestamp 8
    function _leaf(bytes32 root, uint256 blockTime) private view returns (LeafHash leaf) {
        bool done;
        assembly ('memory-safe') {
            let entry := mload(0x40)
            mstore(entry, shl(24, or(shl(160, chainid()), address())))
            mstore(add(entry, 29), root)
            mstore(add(entry, 61), shl(192, blockTime))
            // A chain without the precompile answers success and no data.
            done := staticcall(gas(), 2, entry, 69, 0, 32)
            done := and(done, eq(returndatasize(), 32))
            leaf := mload(0)
        }
        if (!done) revert Rfc9162.Rfc9162HashFailed();
    }

    function _setAnchorer(address newAnchorer) private {
        Log storage log = _log();
        emit AnchorerSet(log.anchorer, newAnchorer);
        log.anchorer = newAnchorer;
    }

    function _log() private pure returns (Log storage log) {
        assembly ('memory-safe') {
            log.slot := BASE_SLOT
        }
    }
}
