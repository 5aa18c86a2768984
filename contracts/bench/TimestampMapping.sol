// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The usual timestamping contract: the time of each root in a mapping
/// @notice For the gas benchmark only. Proving n roots takes n storage proofs.
contract TimestampMapping {
    error TimestampMappingAlreadyAnchored(bytes32 root);

    mapping(bytes32 root => uint256 timestamp) public timestampOf;

    function anchor(bytes32 root) external {
        if (timestampOf[root] != 0) revert TimestampMappingAlreadyAnchored(root);
        timestampOf[root] = block.timestamp;
    }
}
