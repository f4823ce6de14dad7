package interop;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSMainOperationsBaseTest;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.contract.AbstractContractContentSummaryTest;
import org.apache.hadoop.fs.contract.AbstractContractCopyFromLocalTest;
import org.apache.hadoop.fs.contract.AbstractContractGetEnclosingRoot;
import org.apache.hadoop.fs.contract.AbstractFSContract;
import org.apache.hadoop.fs.contract.hdfs.HDFSContract;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.junit.BeforeClass;

/** Base tests that HDFS itself has no subclass of for hdfs://, with HDFS's contract. */
public final class HdfsSuites {
  private HdfsSuites() {
  }

  public static class ContentSummary extends AbstractContractContentSummaryTest {
    @BeforeClass
    public static void createCluster() throws Exception {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new HDFSContract(conf);
    }
  }

  public static class CopyFromLocal extends AbstractContractCopyFromLocalTest {
    @BeforeClass
    public static void createCluster() throws Exception {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new HDFSContract(conf);
    }
  }

  public static class EnclosingRoot extends AbstractContractGetEnclosingRoot {
    @BeforeClass
    public static void createCluster() throws Exception {
      HDFSContract.createCluster();
    }

    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new HDFSContract(conf);
    }
  }

  public static class MainOperations extends FSMainOperationsBaseTest {
    private static MiniDFSCluster cluster;

    public MainOperations() {
      super("/tmp/MainOperations");
    }

    @BeforeClass
    public static void createCluster() throws Exception {
      cluster = new MiniDFSCluster.Builder(new Configuration()).build();
    }

    @Override
    protected FileSystem createFileSystem() throws Exception {
      return cluster.getFileSystem();
    }

    @Override
    protected Path getDefaultWorkingDirectory() {
      return fSys.getHomeDirectory();
    }
  }
}
