package org.apache.hadoop.hdfs;

import java.io.File;
import java.io.IOException;
import java.net.URI;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.SafeModeAction;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Stands in front of the class of this name in Hadoop's test jar, whose tests start a cluster inside their own process with it. This one
 * starts nothing: it points them, unchanged, at the cluster named by the properties interop.hdfs (hdfs://host:port) and interop.webhdfs
 * (host:port). "Formatting" deletes every file there.
 */
public class MiniDFSCluster {
  /** The calls of Hadoop's builder that those tests make. */
  public static class Builder {
    private final Configuration conf;
    private boolean format = true;
    private int datanodes = 1;

    public Builder(Configuration conf) {
      this.conf = conf;
    }

    public Builder(Configuration conf, File baseDirectory) {
      this.conf = conf;
    }

    public Builder numDataNodes(int count) {
      datanodes = count;
      return this;
    }

    public Builder format(boolean wanted) {
      format = wanted;
      return this;
    }

    public MiniDFSCluster build() throws IOException {
      // As many copies as there would be datanodes, as in the original.
      conf.setInt("dfs.replication", Math.min(datanodes, conf.getInt("dfs.replication", 3)));
      return new MiniDFSCluster(conf, format);
    }
  }

  private final Configuration conf;

  private MiniDFSCluster(Configuration conf, boolean format) throws IOException {
    // File systems left open by an earlier test class carry that class's settings.
    FileSystem.closeAll();
    this.conf = conf;
    conf.set("fs.defaultFS", hdfs().toString());
    conf.set(DFSConfigKeys.DFS_NAMENODE_HTTP_ADDRESS_KEY, System.getProperty("interop.webhdfs", "127.0.0.1:1"));
    if (format) {
      empty(getFileSystem());
    }
  }

  private static URI hdfs() {
    return URI.create(System.getProperty("interop.hdfs"));
  }

  private static void empty(DistributedFileSystem fs) throws IOException {
    fs.setSafeMode(SafeModeAction.LEAVE);
    Path root = new Path("/");
    for (FileStatus entry : fs.listStatus(root)) {
      fs.delete(entry.getPath(), true);
    }
    fs.setPermission(root, FsPermission.valueOf("drwxr-xr-x"));
  }

  public DistributedFileSystem getFileSystem() throws IOException {
    return (DistributedFileSystem) FileSystem.get(hdfs(), conf);
  }

  public URI getURI(int namenode) {
    return hdfs();
  }

  public Configuration getConfiguration(int namenode) {
    return conf;
  }

  public void waitActive() {
  }

  public void waitClusterUp() {
  }

  public void shutdown() {
  }
}
