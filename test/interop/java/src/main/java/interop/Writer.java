package interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.util.Arrays;
import java.util.Random;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DFSOutputStream;
import org.apache.hadoop.hdfs.client.HdfsDataOutputStream;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;

/**
 * Writes one file of random bytes through the unmodified client and stops at the named moment (connect, data, hflush, close) until a line
 * comes on standard input: the caller kills a datanode meanwhile. Arguments: uri, path, moment, key=value settings of the client. Says
 * "pipeline UUID UUID …" in the order of the pipeline, without ids where there is none yet, and "equal LENGTH" when it has read back what
 * it wrote.
 */
public final class Writer {
  private static final int LENGTH = 3_000_000;
  /** Inside the first block. */
  private static final int BEFORE = 1_300_000;
  private static final int BLOCK = 2 << 20;
  private static final BufferedReader INPUT = new BufferedReader(new InputStreamReader(System.in));

  private Writer() {
  }

  public static void main(String[] args) throws Exception {
    Path file = new Path(args[1]);
    String moment = args[2];
    byte[] content = new byte[LENGTH];
    new Random(7).nextBytes(content);
    Configuration conf = new Configuration();
    for (String setting : Arrays.copyOfRange(args, 3, args.length)) {
      conf.set(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
    }
    try (FileSystem fs = FileSystem.newInstance(URI.create(args[0]), conf)) {
      HdfsDataOutputStream out = (HdfsDataOutputStream) fs.create(file, true, 4096, (short) 3, BLOCK);
      if (moment.equals("connect")) {
        // The first block has no pipeline yet, and the namenode does not know either who is gone.
        stop("pipeline");
      }
      out.write(content, 0, BEFORE);
      if (moment.equals("data")) {
        // Packets are on their way, none of them asked for.
        stop(pipeline(out));
      } else {
        out.hflush();
      }
      if (moment.equals("hflush")) {
        stop(pipeline(out));
        out.write(content, BEFORE, 1000);
        out.hflush();
        out.write(content, BEFORE + 1000, LENGTH - BEFORE - 1000);
      } else if (moment.equals("close")) {
        // Still inside the first block: what the client holds back and the end of the block are all that is left to send.
        out.write(content, BEFORE, 30_000);
        stop(pipeline(out));
      } else {
        out.write(content, BEFORE, LENGTH - BEFORE);
      }
      int length = (int) out.getPos();
      out.close();
      byte[] back = new byte[length];
      try (FSDataInputStream in = fs.open(file)) {
        in.readFully(0, back);
      }
      boolean equal = fs.getFileStatus(file).getLen() == length && Arrays.equals(back, 0, length, content, 0, length);
      System.out.println((equal ? "equal " : "different ") + length);
    }
  }

  /** The first packet may still wait for its block. */
  private static String pipeline(HdfsDataOutputStream out) throws Exception {
    DatanodeInfo[] nodes = ((DFSOutputStream) out.getWrappedStream()).getPipeline();
    for (int tries = 0; nodes == null && tries < 200; tries++) {
      Thread.sleep(50);
      nodes = ((DFSOutputStream) out.getWrappedStream()).getPipeline();
    }
    if (nodes == null) {
      throw new IOException("no pipeline after 10 s");
    }
    StringBuilder line = new StringBuilder("pipeline");
    for (DatanodeInfo node : nodes) {
      line.append(' ').append(node.getDatanodeUuid());
    }
    return line.toString();
  }

  private static void stop(String line) throws IOException {
    System.out.println(line);
    System.out.flush();
    INPUT.readLine();
  }
}
