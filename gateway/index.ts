// What the roles mount: hand `datanodeGateway` to startDatanode and `namenodeGateway` to startNamenode.
export { datanodeGateway } from './datanode.ts'
export { namenodeGateway } from './namenode.ts'
