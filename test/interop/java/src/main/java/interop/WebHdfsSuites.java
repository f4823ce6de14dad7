package interop;

import java.io.IOException;
import java.net.URI;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.contract.AbstractContractAppendTest;
import org.apache.hadoop.fs.contract.AbstractContractBulkDeleteTest;
import org.apache.hadoop.fs.contract.AbstractContractConcatTest;
import org.apache.hadoop.fs.contract.AbstractContractContentSummaryTest;
import org.apache.hadoop.fs.contract.AbstractContractCopyFromLocalTest;
import org.apache.hadoop.fs.contract.AbstractContractCreateTest;
import org.apache.hadoop.fs.contract.AbstractContractDeleteTest;
import org.apache.hadoop.fs.contract.AbstractContractGetEnclosingRoot;
import org.apache.hadoop.fs.contract.AbstractContractGetFileStatusTest;
import org.apache.hadoop.fs.contract.AbstractContractLeaseRecoveryTest;
import org.apache.hadoop.fs.contract.AbstractContractMkdirTest;
import org.apache.hadoop.fs.contract.AbstractContractMultipartUploaderTest;
import org.apache.hadoop.fs.contract.AbstractContractOpenTest;
import org.apache.hadoop.fs.contract.AbstractContractPathHandleTest;
import org.apache.hadoop.fs.contract.AbstractContractRenameTest;
import org.apache.hadoop.fs.contract.AbstractContractRootDirectoryTest;
import org.apache.hadoop.fs.contract.AbstractContractSafeModeTest;
import org.apache.hadoop.fs.contract.AbstractContractSeekTest;
import org.apache.hadoop.fs.contract.AbstractContractSetTimesTest;
import org.apache.hadoop.fs.contract.AbstractContractUnbufferTest;
import org.apache.hadoop.fs.contract.AbstractContractVectoredReadTest;
import org.apache.hadoop.fs.contract.AbstractFSContract;
import org.apache.hadoop.fs.contract.hdfs.HDFSContract;
import org.junit.BeforeClass;

/** The contract tests over webhdfs://, with the options of HDFS's own contract. */
public final class WebHdfsSuites {
  private WebHdfsSuites() {
  }

  /** HDFS's contract, its promises kept through HTTP. */
  private static final class WebHdfsContract extends HDFSContract {
    WebHdfsContract(Configuration conf) {
      super(conf);
    }

    @Override
    public FileSystem getTestFileSystem() throws IOException {
      return FileSystem.get(URI.create("webhdfs://" + System.getProperty("interop.webhdfs")), getConf());
    }

    @Override
    public String getScheme() {
      return "webhdfs";
    }
  }

  public static class Append extends AbstractContractAppendTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class BulkDelete extends AbstractContractBulkDeleteTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Concat extends AbstractContractConcatTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class ContentSummary extends AbstractContractContentSummaryTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class CopyFromLocal extends AbstractContractCopyFromLocalTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Create extends AbstractContractCreateTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Delete extends AbstractContractDeleteTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class GetFileStatus extends AbstractContractGetFileStatusTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class GetEnclosingRoot extends AbstractContractGetEnclosingRoot {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class LeaseRecovery extends AbstractContractLeaseRecoveryTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Mkdir extends AbstractContractMkdirTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class MultipartUploader extends AbstractContractMultipartUploaderTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }

    @Override
    protected int partSizeInBytes() {
      return 1024;
    }

    @Override
    protected boolean finalizeConsumesUploadIdImmediately() {
      return true;
    }

    @Override
    protected boolean supportsConcurrentUploadsToSamePath() {
      return true;
    }
  }

  public static class Open extends AbstractContractOpenTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class PathHandle extends AbstractContractPathHandleTest {
    public PathHandle(String name, Options.HandleOpt[] options, boolean serialized) {
      super(name, options, serialized);
    }

    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Rename extends AbstractContractRenameTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class RootDirectory extends AbstractContractRootDirectoryTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class SafeMode extends AbstractContractSafeModeTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Seek extends AbstractContractSeekTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class SetTimes extends AbstractContractSetTimesTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class Unbuffer extends AbstractContractUnbufferTest {
    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }

  public static class VectoredRead extends AbstractContractVectoredReadTest {
    public VectoredRead(String bufferType) {
      super(bufferType);
    }

    @BeforeClass
    public static void createCluster() throws IOException {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new WebHdfsContract(conf);
    }
  }
}
