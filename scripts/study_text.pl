#!/usr/bin/perl
# Prose of documentation: study_text.pl < LIST > DOCUMENTS.jsonl, where LIST has the paths of files,
# one a line, each a document: *.html and *.page (their paragraphs), *.txt and *.gz (paragraphs
# between empty lines), *.dz (a dictionary, a document for each 200 entries), and data.* of WordNet
# (the meanings, a document for each 200). Tables, listings and menus are left out, and a paragraph
# that came before, as notices do, is dropped. Core Perl alone, which every Debian has.
use strict;
use warnings;

my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'", nbsp => ' ',
              ldquo => '"', rdquo => '"', lsquo => "'", rsquo => "'", mdash => '--', ndash => '-',
              hellip => '...', copy => '(C)');
my %seen;

sub paragraphs_of_markup {
    my ($text) = @_;
    $text =~ s/<!--.*?-->//gs;
    $text =~ s/<(head|script|style|pre|nav|table|code-block|screen|code|form|svg)\b.*?<\/\1\s*>/ /gsi
        if $text !~ /<page\b/;
    $text =~ s/<(info|screen|code|media)\b.*?<\/\1\s*>/ /gsi if $text =~ /<page\b/;
    $text =~ s/<\/?(p|li|dd|dt|div|h[1-6]|br|ul|ol|dl|section|title|item|blockquote|tr|td|body)\b[^>]*>/\n\n/gi;
    $text =~ s/<[^>]*>//g;
    $text =~ s/&#(\d+);/chr $1/ge;
    $text =~ s/&#x([0-9a-f]+);/chr hex $1/gei;
    $text =~ s/&(\w+);/exists $entity{$1} ? $entity{$1} : ' '/ge;
    return split /\n\s*\n/, $text;
}

# As running text, or nothing.
sub prose {
    my ($paragraph) = @_;
    $paragraph =~ s/\s+/ /g;
    $paragraph =~ s/^ | $//g;
    return '' if length $paragraph < 60;
    my $letters = () = $paragraph =~ /[\p{L} ,.;']/g;
    return '' if $letters < 0.9 * length $paragraph || $seen{$paragraph}++;
    return $paragraph;
}

sub put {
    my $text = join "\n", grep { $_ ne '' } map { prose($_) } @_;
    return if length $text < 300;
    $text =~ s/([\\"])/\\$1/g;
    $text =~ s/\n/\\n/g;
    $text =~ s/[\x00-\x1f\x7f]/ /g;
    utf8::encode($text);
    print qq({"text": "$text"}\n);
}

while (my $path = <STDIN>) {
    chomp $path;
    my $file;
    my $opened = $path =~ /\.[gd]z$/ ? open($file, '-|', 'gzip', '-dcS', '.dz', '--', $path)
                                     : open($file, '<', $path);
    die "$path: $!\n" unless $opened;
    local $/;
    my $text = <$file>;
    close $file or die "$path: can't be read\n";
    utf8::decode($text) or utf8::upgrade($text);
    if ($path =~ /\.(html?|page)(\.gz)?$/) {
        put(paragraphs_of_markup($text));
    } elsif ($path =~ m{/data\.(noun|verb|adj|adv)$}) {
        my @meanings = map { /\| (.*\S)/ ? ucfirst($1) . '.' : () } split /\n/, $text;
        put(splice @meanings, 0, 200) while @meanings;
    } elsif ($path =~ /\.dz$/) {
        my @entries = split /\n(?=\S)/, $text;
        put(splice @entries, 0, 200) while @entries;
    } else {
        put(split /\n\s*\n/, $text);
    }
}
