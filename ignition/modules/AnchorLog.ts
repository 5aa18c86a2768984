import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';

/** Both default to the account that deploys; in earnest the owner is a multisig and the anchorer a hot key. */
export default buildModule('AnchorLog', (m) => {
  const owner = m.getParameter('owner', m.getAccount(0));
  const anchorer = m.getParameter('anchorer', m.getAccount(0));
  return { anchorLog: m.contract('AnchorLog', [owner, anchorer]) };
});
